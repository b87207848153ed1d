import { memo } from "react";
import type { TreeNode } from "../../../api/penstock";
import { StatusMark } from "../../../design/StatusMark";
import { standingOfNode } from "../../../model/state";
import { clock, duration, instant } from "../../../model/time";
import { PHASE_WORDS, type Segment, type Window } from "../../../model/timeline";
import style from "./Timeline.module.css";

/** What a task did, along time. */
export const Bars = memo(function Bars({
  node,
  segments,
  window,
  isCritical,
}: {
  node: TreeNode;
  segments: readonly Segment[];
  window: Window;
  isCritical: boolean;
}) {
  const length = Math.max(1, window.to - window.from);
  const place = (at: number) => ((at - window.from) / length) * 100;
  const standing = standingOfNode(node);
  const ended = instant(node.ended_at);
  const isMarked = ended !== undefined && ["cached", "skipped", "failed", "canceled"].includes(standing);
  return (
    <>
      {segments
        .filter(({ from, to }) => to >= window.from && from <= window.to)
        .map((segment) => {
          // What is far outside would be wider than browsers draw.
          const left = Math.max(-1, place(segment.from));
          const right = Math.min(101, place(segment.to));
          return (
            <div
              key={`${segment.phase} ${segment.from}`}
              className={style.bar}
              data-phase={segment.phase}
              data-failed={segment.failed}
              data-critical={(isCritical && !["waiting", "over"].includes(segment.phase)) || undefined}
              style={{ left: `${left}%`, width: `${right - left}%` }}
              title={said(segment)}
            />
          );
        })}
      {isMarked && ended >= window.from && ended <= window.to && (
        <span className={style.mark} style={{ left: `${place(ended)}%` }}>
          <StatusMark standing={standing} bare />
        </span>
      )}
    </>
  );
});

function said({ phase, from, to, attempt, failed }: Segment): string {
  const which = attempt === undefined ? "" : ` (attempt ${attempt + 1}${failed ? ", failed" : ""})`;
  return `${PHASE_WORDS[phase]}${which}: ${duration(to - from)}, ${clock(from)} to ${clock(to)}`;
}

/** What the bars of a row say, for whoever cannot see them. */
export function wordsOf(segments: readonly Segment[]): string {
  return segments.map(({ phase, from, to }) => `${PHASE_WORDS[phase]} ${duration(to - from)}`).join(", ");
}
