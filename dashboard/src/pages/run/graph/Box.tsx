import type { Node, NodeProps } from "@xyflow/react";
import { memo, useEffect, useMemo, useRef } from "react";
import { Button } from "../../../design/Button";
import { Icon, type IconName } from "../../../design/Icon";
import { Duration } from "../../../design/Moment";
import { StatusMark } from "../../../design/StatusMark";
import type { Form, Item } from "../../../model/graph";
import { type Card, cardOf, labelOf, progressOf } from "../../../model/graphCard";
import { FORM_WORDS, titleOf } from "../../../model/graphWords";
import { duration, instant } from "../../../model/time";
import style from "./Box.module.css";
import { type BoxData, useGraph } from "./graphContext";

/** Of a task alone there is nothing to say before it has a state. */
const FORM_ICONS: Partial<Record<Form, IconName>> = {
  importer: "download",
  pipeline: "pipelines",
  condition: "filter",
  branches: "filter",
  exit: "stop",
  loop: "retry",
};

/** The box of a task, of a closed group, or around what an open one holds. */
export const Box = memo(function Box({ data }: NodeProps<Node<BoxData>>) {
  const graph = useGraph();
  const { item, node, around } = data;
  const card = useMemo(() => cardOf(item, node, around), [item, node, around]);
  const button = useRef<HTMLButtonElement>(null);
  const isFocused = graph.focused === item.path;
  useEffect(() => {
    if (isFocused && graph.hasFocus()) {
      button.current?.focus({ preventScroll: true });
    }
  }, [isFocused, graph.hasFocus]);
  const isSelected = graph.selected === item.path;
  const label = labelOf(item, card);
  return (
    <div
      className={style.box}
      data-standing={card.standing ?? "none"}
      data-form={item.form}
      data-group={item.canOpen || undefined}
      data-open={(item.isOpen && item.children.length > 0) || undefined}
      data-selected={isSelected || undefined}
      data-found={graph.found.has(item.path) || undefined}
      data-critical={graph.critical?.has(item.path) || undefined}
      data-distance={graph.distance}
    >
      <button
        ref={button}
        type="button"
        className={style.whole}
        tabIndex={isFocused ? 0 : -1}
        aria-label={label}
        aria-pressed={isSelected}
        title={label}
        data-path={item.path}
        onFocus={() => graph.focus(item.path)}
        onClick={() => graph.select(item)}
      />
      {graph.distance === "near" ? (
        <Content item={item} card={card} note={data.note} tabIndex={isFocused ? 0 : -1} />
      ) : (
        graph.distance === "far" && (
          <span className={style.far}>
            {card.standing && <StatusMark standing={card.standing} bare />}
            <span className={style.title}>{titleOf(item)}</span>
          </span>
        )
      )}
    </div>
  );
});

type Said = { item: Item; card: Card; note: string | undefined };

function Content({ item, card, note, tabIndex }: Said & { tabIndex: 0 | -1 }) {
  const { toggle, pick, at } = useGraph();
  const icon = FORM_ICONS[item.form];
  const isLoopOfRun = item.form === "loop" && pick !== undefined && card.items !== undefined;
  const isPicked = isLoopOfRun && item.isOpen;
  return (
    <div className={style.content}>
      <div className={style.line}>
        {(card.standing || icon) && (
          <span className={style.mark}>
            {card.standing ? <StatusMark standing={card.standing} bare /> : icon && <Icon name={icon} />}
          </span>
        )}
        <span className={style.name}>{titleOf(item)}</span>
        {item.canOpen && (
          <span className={style.buttons}>
            <Button
              kind="quiet"
              icon={item.isOpen ? "down" : "chevron"}
              label={item.isOpen ? `Close ${item.name}` : `Open ${item.name}`}
              aria-expanded={item.isOpen}
              tabIndex={tabIndex}
              onClick={() => (isLoopOfRun && !item.isOpen ? pick(item) : toggle(item))}
            />
          </span>
        )}
      </div>
      <div className={style.line}>
        <Words item={item} card={card} at={at} note={note} isLoopSaid={isPicked} />
        {isPicked && (
          <button type="button" className={style.pick} tabIndex={tabIndex} onClick={() => pick(item)}>
            {item.iteration === undefined ? "Iterations" : `Iteration ${item.iteration}`}
            <Icon name="down" size={12} />
          </button>
        )}
      </div>
      {item.canOpen && !(item.isOpen && item.children.length > 0) && <Progress item={item} card={card} />}
    </div>
  );
}

function Words({
  item,
  card,
  note,
  at,
  isLoopSaid,
}: Said & {
  at: number | undefined;
  /** What its iterations are chosen by is beside them. */
  isLoopSaid: boolean;
}) {
  const icon = FORM_ICONS[item.form];
  return (
    <span className={style.words}>
      {item.form !== "task" && !isLoopSaid && (
        <span className={style.form}>
          {card.standing && icon && <Icon name={icon} size={12} />}
          {FORM_WORDS[item.form]}
        </span>
      )}
      {item.condition && (
        <span className={style.second}>{titleOf(item) === item.name ? item.condition : item.name}</span>
      )}
      {note && <span className={style.second}>{note}</span>}
      {card.words && <span className={style.state}>{card.words}</span>}
      {card.startedAt && card.standing !== "skipped" && (
        <span className={style.took}>
          <Took card={card} at={at} />
        </span>
      )}
      {card.attempts > 1 && <span className={style.attempts}>{card.attempts} attempts</span>}
      {card.isOnHost && <span title="The command of its image ran as a process of this machine">on host</span>}
    </span>
  );
}

function Took({ card, at }: { card: Card; at: number | undefined }) {
  const started = instant(card.startedAt);
  if (at !== undefined && started !== undefined && card.endedAt === undefined) {
    return <span className="number">{duration(at - started)}</span>;
  }
  return <Duration from={card.startedAt} to={card.endedAt} />;
}

/** How far what a closed group holds has come: a bar of its states, and the same in words. */
function Progress({ item, card }: { item: Item; card: Card }) {
  const total = card.counts.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) {
    const inside =
      card.items === 0 ? "No items" : `${item.taskCount} ${item.taskCount === 1 ? "task" : "tasks"} inside`;
    return <div className={style.progress}>{inside}</div>;
  }
  return (
    <div className={style.progress}>
      <span className={style.bar} aria-hidden="true">
        {card.counts.map(({ standing, count }) => (
          <span key={standing} data-standing={standing} style={{ flexGrow: count }} />
        ))}
      </span>
      {progressOf(item.form, card.counts, card.items)}
    </div>
  );
}
