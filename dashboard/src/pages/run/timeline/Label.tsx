import { StatusMark } from "../../../design/StatusMark";
import { standingOfNode } from "../../../model/state";
import type { TimelineRow } from "../../../model/timeline";
import { labelOf } from "../panel/TaskLink";
import style from "./Timeline.module.css";

/** The name of a row, and for a group what opens it. */
export function Label({
  row,
  isCritical,
  isChosen,
  words,
  onChoose,
  onToggle,
}: {
  row: TimelineRow;
  isCritical: boolean;
  isChosen: boolean;
  /** What its bars say. */
  words: string;
  onChoose: () => void;
  onToggle: () => void;
}) {
  const { node, depth, isGroup, isOpen } = row;
  const label = labelOf(node);
  const items = node.kind === "LOOP" && node.items !== undefined ? ` ×${node.items.toLocaleString("en")}` : "";
  return (
    <div className={style.label} style={{ paddingLeft: `calc(8px + var(--labels) * ${0.055 * Math.min(depth, 8)})` }}>
      {isGroup ? (
        <button
          type="button"
          className={style.twist}
          aria-expanded={isOpen}
          aria-label={`${isOpen ? "Close" : "Open"} ${label}`}
          onClick={onToggle}
        >
          {isOpen ? "▾" : "▸"}
        </button>
      ) : (
        <span className={style.twist} />
      )}
      <StatusMark standing={standingOfNode(node)} bare />
      <button
        type="button"
        className={style.name}
        title={node.path}
        aria-current={isChosen || undefined}
        onClick={onChoose}
      >
        <span className="ellipsis">
          {label}
          {items}
        </span>
        <span className="visually-hidden">
          {words}
          {isCritical && ", decided the length of the run"}
        </span>
      </button>
    </div>
  );
}
