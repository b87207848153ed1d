import { useVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, useEffect, useMemo, useRef, useState } from "react";
import type { TreeNode } from "../../../api/penstock";
import { Button } from "../../../design/Button";
import { useNow } from "../../../design/Moment";
import { Empty } from "../../../design/Notice";
import { spanOf } from "../../../model/instant";
import { isFinal, standingOf } from "../../../model/state";
import { instant as time } from "../../../model/time";
import {
  criticalPath,
  PHASE_WORDS,
  PHASES,
  type Phase,
  rowsOf,
  type Segment,
  segmentsOf,
  type TimelineRow,
  type Window,
  zoomed,
} from "../../../model/timeline";
import { useNodes } from "../table/below";
import { useListKeys } from "../table/listKeys";
import { useOpened } from "../table/opened";
import { useRunView, useSelection } from "../view";
import { Axis } from "./Axis";
import { Bars, wordsOf } from "./Bars";
import { useGestures } from "./gestures";
import { Label } from "./Label";
import { Scrubber } from "./Scrubber";
import style from "./Timeline.module.css";

const ROW = 32;
/** Below that the tasks' names and what the bars mean leave time its room. */
const NARROW = 560;
/** How wide the names of tasks are in a chart of a width. */
const labelsIn = (width: number) => Math.round(Math.min(256, Math.max(144, width * 0.36)));
/** Rows of groups that are there without being opened: all but those that are asked for. */
const isLoop = (node: TreeNode) => node.kind === "LOOP" || node.kind === "ITERATION";

/** The tasks of a run along time. */
export default function Timeline() {
  const { present, instant, setInstant } = useRunView();
  const isOver = isFinal(standingOf(present.status));
  const now = useNow();
  const span = useSpan(isOver ? 0 : now);
  if (!span) {
    return (
      <Empty title="Nothing has begun">
        <p>The run has not started.</p>
      </Empty>
    );
  }
  return (
    <div className={style.view}>
      <Chart span={span} until={instant ?? span.to} isOver={isOver} />
      <Scrubber span={span} instant={instant} isOver={isOver} onInstant={setInstant} />
    </div>
  );
}

/** From the run's start to its end, or until now. */
function useSpan(now: number): Window | undefined {
  const { nodes } = useRunView().present;
  return useMemo(() => {
    const span = spanOf(nodes);
    return span && { from: span.from, to: Math.max(span.to ?? now, span.from + 1) };
  }, [nodes, now]);
}

function Chart({ span, until, isOver }: { span: Window; until: number; isOver: boolean }) {
  const { instant } = useRunView();
  const { selected, select } = useSelection();
  const [chosen, setWindow] = useState<Window>();
  // While it goes on, now is not at the very edge.
  const room = isOver ? span : { from: span.from, to: span.to + (span.to - span.from) / 40 };
  const window = chosen ?? room;
  const { rows, nodes, toggle } = useRows();
  const scroller = useRef<HTMLDivElement>(null);
  const whole = useWidth(scroller);
  const labels = labelsIn(whole);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 12,
  });
  const paths = useMemo(() => rows.map((row) => row.node.path), [rows]);
  const here = useListKeys(paths, selected, select, (index) => virtual.scrollToIndex(index));
  useGestures(scroller, labels, room, window, setWindow);
  const byNumber = useMemo(() => new Map(nodes.map((node) => [node.node, node])), [nodes]);
  const critical = useMemo(() => criticalPath(nodes, until), [nodes, until]);
  const drawn = virtual.getVirtualItems().flatMap(({ index, start }) => {
    const row = rows[index];
    const begun = time(byNumber.get(row?.node.parent ?? -1)?.started_at);
    return row ? [{ row, start, segments: segmentsOf(row.node, begun, until) }] : [];
  });
  const parts = drawn.flatMap(({ segments }) => segments);
  return (
    <>
      <Head
        parts={parts}
        hasCritical={critical.size > 0}
        isWhole={!chosen}
        isNarrow={whole < NARROW}
        onZoom={(factor) =>
          setWindow(factor === undefined ? undefined : zoomed(window, room, factor, (window.from + window.to) / 2))
        }
      />
      <div ref={scroller} className={style.chart} style={{ "--labels": `${labels}px` } as CSSProperties}>
        <div className={style.headRow}>
          <div className={style.corner}>Task</div>
          <Axis span={room} window={window} width={whole - labels} onWindow={setWindow} />
        </div>
        <ul className={style.rows} style={{ height: virtual.getTotalSize() }} aria-label="Tasks along time">
          {drawn.map(({ row, start, segments }) => (
            <Row
              key={row.node.node}
              {...{ row, start, segments, window }}
              isCritical={critical.has(row.node.node)}
              isHere={row.node.path === here}
              isChosen={row.node.path === selected}
              onChoose={() => select(row.node.path)}
              onToggle={() => toggle(row.node)}
            />
          ))}
          <Line at={instant ?? (isOver ? undefined : until)} window={window} isPast={instant !== undefined} />
        </ul>
      </div>
    </>
  );
}

interface RowProps {
  row: TimelineRow;
  start: number;
  segments: Segment[];
  window: Window;
  isCritical: boolean;
  isHere: boolean;
  isChosen: boolean;
  onChoose: () => void;
  onToggle: () => void;
}

function Row({ row, start, segments, window, isCritical, isHere, isChosen, onChoose, onToggle }: RowProps) {
  return (
    <li className={style.row} data-chosen={isHere || undefined} style={{ transform: `translateY(${start}px)` }}>
      <Label {...{ row, isCritical, isChosen, onChoose, onToggle }} words={wordsOf(segments)} />
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the button of the row does the same */}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the button of the row does the same */}
      <div className={style.track} onClick={onChoose}>
        <Bars node={row.node} segments={segments} window={window} isCritical={isCritical} />
      </div>
    </li>
  );
}

/** The rows as they are looked at, and how groups open and close. */
function useRows() {
  const [toggled, toggle] = useOpened();
  const nodes = useNodes(toggled);
  // Loops are closed until they are opened, other groups are open until they are closed.
  const rows = useMemo(() => rowsOf(nodes, (node) => isLoop(node) === toggled.has(node.node)), [nodes, toggled]);
  return { rows, nodes, toggle };
}

/** Now, or the instant that is looked at. */
function Line({ at, window, isPast }: { at: number | undefined; window: Window; isPast: boolean }) {
  if (at === undefined || at < window.from || at > window.to) {
    return null;
  }
  const share = (at - window.from) / Math.max(1, window.to - window.from);
  return (
    <li
      aria-hidden="true"
      className={style.line}
      data-past={isPast || undefined}
      style={{ left: `calc(var(--labels) + (100% - var(--labels)) * ${share})` }}
    />
  );
}

function Head({
  parts,
  hasCritical,
  isWhole,
  isNarrow,
  onZoom,
}: {
  /** What is drawn. */
  parts: readonly Segment[];
  hasCritical: boolean;
  isWhole: boolean;
  isNarrow: boolean;
  /** Shows so much of what is shown now; without a factor all. */
  onZoom: (factor: number | undefined) => void;
}) {
  return (
    <div className={style.head}>
      {isNarrow ? (
        <details className={style.folded}>
          <summary>What the bars mean</summary>
          <Legend parts={parts} hasCritical={hasCritical} />
        </details>
      ) : (
        <Legend parts={parts} hasCritical={hasCritical} />
      )}
      <div className={style.tools}>
        <Button kind="quiet" icon="plus" label="Zoom in" onClick={() => onZoom(0.5)} />
        <Button kind="quiet" icon="minus" label="Zoom out" onClick={() => onZoom(2)} />
        <Button kind="quiet" icon="fit" label="Show all" disabled={isWhole} onClick={() => onZoom(undefined)} />
      </div>
    </div>
  );
}

function Legend({ parts, hasCritical }: { parts: readonly Segment[]; hasCritical: boolean }) {
  const phases = new Set(parts.map(({ phase }) => phase));
  const bar = (of: { phase: Phase; failed?: true; critical?: true }) => (
    <span className={style.swatch}>
      <span
        className={style.bar}
        data-phase={of.phase}
        data-failed={of.failed}
        data-critical={of.critical}
        style={{ left: 0, width: "100%" }}
      />
    </span>
  );
  return (
    <ul className={style.legend} aria-label="What the bars mean">
      {PHASES.filter((phase) => phases.has(phase)).map((phase) => (
        <li key={phase}>
          {bar({ phase })}
          {PHASE_WORDS[phase]}
        </li>
      ))}
      {parts.some(({ phase, failed }) => phase === "running" && failed) && (
        <li>
          {bar({ phase: "running", failed: true })}
          Running, in an attempt that failed
        </li>
      )}
      {hasCritical && (
        <li>
          {bar({ phase: "running", critical: true })}
          Critical path
        </li>
      )}
    </ul>
  );
}

function useWidth(element: React.RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(800);
  useEffect(() => {
    const watched = element.current;
    if (!watched) {
      return;
    }
    const observer = new ResizeObserver(() => setWidth(watched.clientWidth));
    observer.observe(watched);
    return () => observer.disconnect();
  }, [element]);
  return width;
}
