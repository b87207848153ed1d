import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";
import type { TaskStatus, TreeNode } from "../../../api/penstock";
import { useAddressWords } from "../../../app/query";
import { Duration, Moment, useNow } from "../../../design/Moment";
import { Empty, Loading } from "../../../design/Notice";
import { StatusMark } from "../../../design/StatusMark";
import { shortReason } from "../../../model/reason";
import { STANDING_WORDS, type Standing, standingOf, standingOfNode } from "../../../model/state";
import { isUnbegun, withUnbegun } from "../../../model/unbegun";
import { labelOf } from "../panel/TaskLink";
import { KIND_WORDS } from "../panel/why";
import { useRunView, useSelection } from "../view";
import { useNodesWithin } from "./below";
import { useListKeys } from "./listKeys";
import { useOpened } from "./opened";
import { type Asked, COLUMNS, type Column, endAt, iterationsWith, reasonOf, rowsOf } from "./rows";
import style from "./TaskTable.module.css";

const ROW = 40;
const WORDS: Record<Column, string> = {
  state: "State",
  name: "Task",
  reason: "Reason",
  started: "Started",
  took: "Took",
  attempts: "Attempts",
};

/** Every task of a run in a table. */
export default function TaskTable() {
  const { spec, instant } = useRunView();
  const { selected, select } = useSelection();
  const [asked, ask] = useAsked();
  const [open, toggle] = useOpened();
  const { nodes: begun, hasMore, isPending } = useNodesWithin(open, iterationsWith(asked));
  const nodes = useMemo(() => withUnbegun(begun, spec?.pipeline_spec), [begun, spec]);
  const byNumber = useMemo(() => new Map(nodes.map((node) => [node.node, node])), [nodes]);
  const now = useNow();
  // Time passes only for what is sorted by it.
  const counted = asked.sort === "took" ? (instant ?? now) : 0;
  const rows = useMemo(() => rowsOf(nodes, asked, byNumber, counted), [nodes, asked, byNumber, counted]);
  const paths = useMemo(() => rows.map((row) => row.path), [rows]);
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 12,
  });
  const here = useListKeys(paths, selected, select, (index) => virtual.scrollToIndex(index));
  return (
    <div className={style.view}>
      <Filters asked={asked} ask={ask} nodes={nodes} shown={rows.length} hasMore={hasMore} />
      {/* biome-ignore lint/a11y/useSemanticElements: rows that are not drawn have no place in a table */}
      <div ref={scroller} className={style.table} role="table" aria-label="Tasks" aria-rowcount={rows.length + 1}>
        <Head asked={asked} ask={ask} />
        {rows.length === 0 &&
          (isPending ? (
            <Loading what="Looking into the loops" />
          ) : (
            <Empty title="No task">
              <p>None is as asked for.</p>
            </Empty>
          ))}
        {/* biome-ignore lint/a11y/useSemanticElements: rows that are not drawn have no place in a table */}
        <div role="rowgroup" className={style.rows} style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, start }) => {
            const node = rows[index];
            return (
              node && (
                <Row
                  key={node.path}
                  node={node}
                  index={index}
                  start={start}
                  reason={reasonOf(node, byNumber)}
                  until={endAt(instant)}
                  isChosen={node.path === here}
                  isOpen={open.has(node.node)}
                  onChoose={() => select(node.path)}
                  onToggle={() => toggle(node)}
                />
              )
            );
          })}
        </div>
      </div>
    </div>
  );
}

/** Which rows are asked for: kept in the address. */
function useAsked(): [Asked, (name: string, word: string) => void] {
  const [query, change] = useAddressWords();
  const sort = COLUMNS.find((it) => it === query.get("sort")?.replace(/^-/, ""));
  const words = {
    text: query.get("q") ?? "",
    standing: query.get("state") ?? "",
    descending: query.get("sort")?.startsWith("-") ?? false,
    groups: query.get("groups") === "yes",
  };
  const { text, standing, descending, groups } = words;
  const asked = useMemo(
    () => ({ text, standing, sort, descending, groups }),
    [text, standing, sort, descending, groups],
  );
  const ask = (name: string, word: string) => change({ [name]: word });
  return [asked, ask];
}

/** How a node stands, and of a loop its iterations, whose tasks may not be known yet. */
const standingsIn = (node: TreeNode): Standing[] => [
  standingOfNode(node),
  ...(Object.keys(node.kind === "LOOP" ? (node.counts ?? {}) : {}) as TaskStatus[]).map(standingOf),
];

interface AskedProps {
  asked: Asked;
  ask: (name: string, word: string) => void;
}

interface FiltersProps extends AskedProps {
  nodes: readonly TreeNode[];
  shown: number;
  /** Loops have more iterations than were looked into. */
  hasMore: boolean;
}

function Filters({ asked, ask, nodes, shown, hasMore }: FiltersProps) {
  const there = new Set(nodes.filter((node) => node.kind !== "ROOT").flatMap(standingsIn));
  return (
    <div className={style.filters}>
      <input
        className="input"
        type="search"
        aria-label="Filter tasks"
        placeholder="Filter by name, component or reason"
        value={asked.text}
        onChange={(event) => ask("q", event.target.value)}
      />
      <select
        className="input"
        aria-label="State"
        value={asked.standing}
        onChange={(event) => ask("state", event.target.value)}
      >
        <option value="">Any state</option>
        {(Object.keys(STANDING_WORDS) as Standing[])
          .filter((it) => there.has(it) || it === asked.standing)
          .map((it) => (
            <option key={it} value={it}>
              {STANDING_WORDS[it]}
            </option>
          ))}
      </select>
      <label className={style.check}>
        <input
          type="checkbox"
          checked={asked.groups}
          onChange={(event) => ask("groups", event.target.checked ? "yes" : "")}
        />
        Groups
      </label>
      <span className="soft small number" role="status">
        {shown.toLocaleString("en")} shown
        {hasMore && ", of loops the first iterations: open a loop to see all"}
      </span>
    </div>
  );
}

function Head({ asked, ask }: AskedProps) {
  const sort = (column: Column) => {
    const isIts = asked.sort === column;
    // Up, down, and as the pipeline has them.
    ask("sort", !isIts ? column : asked.descending ? "" : `-${column}`);
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: rows that are not drawn have no place in a table
    // biome-ignore lint/a11y/useFocusableInteractive: what is in it has the focus
    <div role="row" className={`${style.row} ${style.head}`} aria-rowindex={1}>
      {COLUMNS.map((column) => {
        const isIts = asked.sort === column;
        return (
          // biome-ignore lint/a11y/useSemanticElements: rows that are not drawn have no place in a table
          // biome-ignore lint/a11y/useFocusableInteractive: what is in it has the focus
          <div
            key={column}
            role="columnheader"
            data-column={column}
            aria-sort={isIts ? (asked.descending ? "descending" : "ascending") : "none"}
          >
            <button type="button" className={style.sort} onClick={() => sort(column)}>
              {WORDS[column]}
              <span aria-hidden="true">{isIts ? (asked.descending ? "↓" : "↑") : ""}</span>
            </button>
          </div>
        );
      })}
    </div>
  );
}

interface RowProps {
  node: TreeNode;
  index: number;
  start: number;
  reason: string;
  /** The instant that is looked at. */
  until: string | undefined;
  isChosen: boolean;
  isOpen: boolean;
  onChoose: () => void;
  onToggle: () => void;
}

function Row({ node, index, start, reason, until, isChosen, isOpen, onChoose, onToggle }: RowProps) {
  const mayOpen = !isUnbegun(node) && (node.kind === "LOOP" || node.kind === "ITERATION");
  const label = labelOf(node);
  const attempts = node.attempts?.length ?? 0;
  const cells: Record<Column, React.ReactNode> = {
    state: <StatusMark standing={standingOfNode(node)} />,
    name: (
      <div className={style.name}>
        {mayOpen && (
          <button
            type="button"
            className={style.twist}
            aria-expanded={isOpen}
            aria-label={isOpen ? `Hide what is in ${label}` : `Show what is in ${label}`}
            onClick={(event) => {
              event.stopPropagation();
              onToggle();
            }}
          >
            {isOpen ? "▾" : "▸"}
          </button>
        )}
        <button type="button" className={style.open} title={node.path} aria-current={isChosen || undefined}>
          <span className="ellipsis">{label}</span>
          <span className="soft small ellipsis">{about(node)}</span>
        </button>
      </div>
    ),
    reason: (
      <span className="ellipsis soft" title={reason}>
        {shortReason(reason)}
      </span>
    ),
    started: <Moment at={node.started_at} />,
    took: <Duration from={node.started_at} to={node.ended_at ?? until} />,
    attempts: <span className="number">{attempts || <span className="soft">–</span>}</span>,
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the button in it and Enter do the same
    // biome-ignore lint/a11y/useSemanticElements: rows that are not drawn have no place in a table
    // biome-ignore lint/a11y/useFocusableInteractive: what is in it has the focus
    <div
      role="row"
      className={style.row}
      data-chosen={isChosen || undefined}
      aria-rowindex={index + 2}
      style={{ transform: `translateY(${start}px)` }}
      onClick={onChoose}
    >
      {COLUMNS.map((column) => (
        // biome-ignore lint/a11y/useSemanticElements: rows that are not drawn have no place in a table
        <div key={column} role="cell" data-column={column}>
          {cells[column]}
        </div>
      ))}
    </div>
  );
}

/** Where a node is, or what it is. */
function about(node: TreeNode): string {
  const kind = node.kind === "CONTAINER" ? "" : KIND_WORDS[node.kind];
  const items = node.items === undefined ? "" : `${node.items.toLocaleString("en")} iterations`;
  const place = node.path === node.name ? "" : node.path;
  return [kind, items, place].filter((it) => it !== "").join(" · ");
}
