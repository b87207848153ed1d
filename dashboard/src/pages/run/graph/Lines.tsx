import { ViewportPortal } from "@xyflow/react";
import { memo, useMemo } from "react";
import { edgeName } from "../../../model/criticalPath";
import { arrowPath, linePath } from "../../../model/graphBoxes";
import style from "./Lines.module.css";
import type { LaidOut } from "./useLayout";

type Kind = "plain" | "dim" | "near" | "running" | "critical";

/** From the back to the front. */
const KINDS: readonly Kind[] = ["dim", "plain", "running", "critical", "near"];

/** All lines of a graph, those that look alike as one shape: thousands of them cost little. */
export const Lines = memo(function Lines({
  laid,
  selected,
  running,
  critical,
  isNear,
}: {
  laid: LaidOut;
  selected: string | undefined;
  /** Paths of what runs: what leads there moves. */
  running: ReadonlySet<string>;
  critical: ReadonlySet<string> | undefined;
  isNear: boolean;
}) {
  const lines = useMemo(
    () =>
      laid.layout.routes.map(({ from, to, points }) => ({
        from,
        to,
        name: edgeName(from, to),
        line: linePath(points, laid.direction),
        arrow: arrowPath(points, laid.direction),
      })),
    [laid],
  );
  const shapes = useMemo(() => {
    const isChosen = selected !== undefined && laid.items.has(selected);
    const kindOf = ({ from, to, name }: (typeof lines)[number]): Kind => {
      if (isChosen && (from === selected || to === selected)) {
        return "near";
      }
      if (critical?.has(name)) {
        return "critical";
      }
      if (isChosen || critical) {
        return "dim";
      }
      return running.has(to) ? "running" : "plain";
    };
    const byKind = new Map<Kind, { line: string[]; arrow: string[] }>();
    for (const each of lines) {
      const kind = kindOf(each);
      const shape = byKind.get(kind) ?? { line: [], arrow: [] };
      shape.line.push(each.line);
      shape.arrow.push(each.arrow);
      byKind.set(kind, shape);
    }
    return byKind;
  }, [lines, laid, selected, running, critical]);
  return (
    <ViewportPortal>
      <svg
        className={style.lines}
        data-far={!isNear || undefined}
        width={laid.layout.width}
        height={laid.layout.height}
        aria-hidden="true"
      >
        {KINDS.map((kind) => {
          const shape = shapes.get(kind);
          return (
            shape && (
              <g key={kind} data-kind={kind}>
                <path className={style.line} d={shape.line.join("")} />
                <path className={style.arrow} d={shape.arrow.join("")} />
              </g>
            )
          );
        })}
      </svg>
    </ViewportPortal>
  );
});
