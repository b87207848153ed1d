import { useStore } from "@xyflow/react";
import { memo, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { linesByKind, linesOf } from "../../../model/graphLines";
import { distanceAt, pictureWords, sightOf } from "../../../model/graphSight";
import { titleOf } from "../../../model/graphWords";
import type { Standing } from "../../../model/state";
import style from "./Picture.module.css";
import { type Mark, MarkPainter, paintLines, ROUND } from "./paint";
import { Swatches, usePalette } from "./Swatches";
import type { LaidOut } from "./useLayout";

/** Between two steps of what runs. */
const STEP_MS = 80;

/**
 * The lines of a graph, and where its boxes are many and far off, those too, as one picture: in each frame only what is in
 * sight is painted, with no element of the page for any of it.
 */
export const Picture = memo(function Picture(props: {
  laid: LaidOut;
  standings: ReadonlyMap<string, Standing>;
  selected: string | undefined;
  found: ReadonlySet<string>;
  /** Paths and lines of the critical path. */
  critical: { nodes: ReadonlySet<string>; edges: ReadonlySet<string> } | undefined;
  /** Paths of what runs: lines that lead there move. */
  running: ReadonlySet<string>;
  /** Whether boxes are painted too. */
  isOfMarks: boolean;
  /** What is an element of the page, and not painted. */
  elements: ReadonlySet<string>;
}) {
  const { laid, standings, selected, critical, running, isOfMarks, elements } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const swatches = useRef<HTMLDivElement>(null);
  const palette = usePalette(swatches);
  const painter = useMemo(() => palette && new MarkPainter(palette), [palette]);
  const transform = useStore((store) => store.transform);
  const width = useStore((store) => store.width);
  const height = useStore((store) => store.height);
  const distance = distanceAt(transform[2]);
  const lines = useMemo(() => linesOf(laid.layout.routes), [laid]);
  const kinds = useMemo(() => {
    const chosen = selected !== undefined && laid.items.has(selected) ? selected : undefined;
    return linesByKind(lines, chosen, critical?.edges, running);
  }, [lines, laid, selected, critical, running]);
  const marks = useMarks(props);
  const moved = useMoved(distance === "near" && kinds.has("running"));
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || !palette || !painter) {
      return;
    }
    const density = window.devicePixelRatio;
    resize(context.canvas, Math.round(width * density), Math.round(height * density));
    const [x, y, zoom] = transform;
    const sight = sightOf(transform, width, height);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    context.setTransform(zoom * density, 0, 0, zoom * density, x * density, y * density);
    if (isOfMarks) {
      // Near, they are so for a moment only.
      const as = distance === "near" ? "far" : distance;
      painter.paint(context, marks, sight, as, true, elements, density);
      paintLines(context, kinds, palette, laid.direction, sight, distance, moved);
      painter.paint(context, marks, sight, as, false, elements, density);
    } else {
      paintLines(context, kinds, palette, laid.direction, sight, distance, moved);
    }
  }, [transform, width, height, distance, isOfMarks, kinds, marks, moved, palette, painter, laid, elements]);
  const words = useMemo(
    () => (isOfMarks ? pictureWords(laid.items.size, standings.values()) : undefined),
    [isOfMarks, laid, standings],
  );
  return (
    <>
      <canvas
        ref={canvas}
        className={style.picture}
        {...(words === undefined ? { "aria-hidden": true } : { role: "img", "aria-label": words })}
      />
      <Swatches of={swatches} />
    </>
  );
});

function resize(canvas: HTMLCanvasElement, width: number, height: number): void {
  // Setting a size, even the same, makes a new picture.
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
}

function useMarks({ laid, standings, found, critical }: Parameters<typeof Picture>[0]): readonly Mark[] {
  return useMemo(
    () =>
      laid.layout.places.flatMap((place): Mark[] => {
        const item = laid.items.get(place.id);
        if (!item) {
          return [];
        }
        return [
          {
            place,
            look: standings.get(place.id) ?? "none",
            title: titleOf(item),
            isGroup: item.canOpen,
            isOpen: item.isOpen && item.children.length > 0,
            outline: found.has(place.id) ? "found" : critical?.nodes.has(place.id) ? "critical" : undefined,
          },
        ];
      }),
    [laid, standings, found, critical],
  );
}

/** How far what runs has moved; it stands still for those who want less motion. */
function useMoved(isOn: boolean): number {
  const [moved, setMoved] = useState(0);
  useEffect(() => {
    if (!isOn || matchMedia("(prefers-reduced-motion: reduce)").matches) {
      return;
    }
    const timer = setInterval(() => setMoved((before) => (before + 1) % ROUND), STEP_MS);
    return () => clearInterval(timer);
  }, [isOn]);
  return moved;
}
