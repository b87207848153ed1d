import type { Node } from "@xyflow/react";
import { useMemo, useRef } from "react";
import type { Item } from "../../../model/graph";
import type { BoxData } from "./graphContext";
import type { LaidOut } from "./useLayout";

/** Boxes for the library that shows those in sight. What did not change stays the very same, and is not drawn again. */
export function useNodes(laid: LaidOut, dataOf: (item: Item) => BoxData): ReadonlyMap<string, Node<BoxData>> {
  const known = useRef({ laid, nodes: new Map<string, Node<BoxData>>() });
  return useMemo(() => {
    const nodes = new Map<string, Node<BoxData>>();
    for (const { id, x, y, width, height, depth } of laid.layout.places) {
      const item = laid.items.get(id);
      if (!item) {
        continue;
      }
      const data = dataOf(item);
      const before = known.current.laid === laid ? known.current.nodes.get(id) : undefined;
      const isSame = before?.data.node === data.node && before?.data.around === data.around;
      nodes.set(
        id,
        before && isSame
          ? before
          : {
              id,
              type: "box",
              position: { x, y },
              width,
              height,
              measured: { width, height },
              handles: [],
              zIndex: depth,
              data,
              domAttributes: { "aria-roledescription": undefined as never },
            },
      );
    }
    known.current = { laid, nodes };
    return nodes;
  }, [laid, dataOf]);
}

const ALL: ReadonlySet<string> = new Set();

/** Boxes that are elements: all, or where most are marks in a picture, those that are being worked with. */
export function useElements(
  nodes: ReadonlyMap<string, Node<BoxData>>,
  areMarks: boolean,
  worked: readonly (string | undefined)[],
): { shown: Node<BoxData>[]; elements: ReadonlySet<string> } {
  const key = areMarks ? [...new Set(worked)].filter((path) => path !== undefined && nodes.has(path)).join("\n") : "";
  const elements = useMemo(() => (key === "" ? ALL : new Set(key.split("\n"))), [key]);
  const shown = useMemo(
    () => (areMarks ? [...elements].flatMap((path) => nodes.get(path) ?? []) : [...nodes.values()]),
    [nodes, areMarks, elements],
  );
  return { shown, elements };
}
