import { useEffect, useMemo, useRef, useState } from "react";
import { drawn, type Item } from "../../../model/graph";
import { insideOf } from "../../../model/graphBoxes";
import { type Direction, type Layout, layOut } from "../../../model/layout";
import type { LayoutAsked } from "../../../model/layout.worker";

/** Smaller graphs are laid out before the page is drawn: a worker's answer would come a frame later. */
const BIG = 300;

export interface LaidOut {
  graph: Pick<Item, "children" | "edges">;
  items: ReadonlyMap<string, Item>;
  layout: Layout;
  direction: Direction;
}

/** Where a graph's boxes lie. While a worker is at it, what was laid out before; undefined when there was nothing. */
export function useLayout(graph: Pick<Item, "children" | "edges">, direction: Direction): LaidOut | undefined {
  const items = useMemo(() => new Map([...drawn(graph.children)].map((item) => [item.path, item])), [graph]);
  const isBig = items.size > BIG;
  const small = useMemo(
    () => (isBig ? undefined : { graph, items, direction, layout: layOut(insideOf(graph), direction) }),
    [graph, items, direction, isBig],
  );
  const [big, setBig] = useState<LaidOut>();
  const last = useRef<LaidOut>(undefined);
  useEffect(() => {
    if (!isBig) {
      return;
    }
    const worker = new Worker(new URL("../../../model/layout.worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<{ id: number; layout: Layout }>) => {
      setBig({ graph, items, direction, layout: data.layout });
      worker.terminate();
    };
    // Without a worker the page stands still for a moment, and then shows the same.
    worker.onerror = () => {
      setBig({ graph, items, direction, layout: layOut(insideOf(graph), direction) });
      worker.terminate();
    };
    worker.postMessage({ id: 0, inside: insideOf(graph), direction } satisfies LayoutAsked);
    return () => worker.terminate();
  }, [graph, items, direction, isBig]);
  const found = small ?? (big?.graph === graph && big.direction === direction ? big : undefined);
  useEffect(() => {
    last.current = found ?? last.current;
  }, [found]);
  return found ?? last.current;
}
