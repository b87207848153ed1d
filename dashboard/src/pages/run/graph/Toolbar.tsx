import { useReactFlow } from "@xyflow/react";
import type { ReactNode } from "react";
import { Button } from "../../../design/Button";
import type { Direction } from "../../../model/layout";
import style from "./Canvas.module.css";
import type { Search } from "./useSearch";

/** What can be done with a graph. */
export function Toolbar({
  search,
  hasGroups,
  onOpenAll,
  direction,
  onDirection,
  onFit,
  children,
}: {
  search: Search;
  hasGroups: boolean;
  onOpenAll: (open: boolean) => void;
  direction: Direction;
  onDirection: (direction: Direction) => void;
  onFit: () => void;
  children?: ReactNode;
}) {
  const flow = useReactFlow();
  return (
    <div className={style.toolbar} role="toolbar" aria-label="Graph">
      <Find search={search} />
      {hasGroups && (
        <>
          <Button kind="quiet" onClick={() => onOpenAll(true)}>
            Expand all
          </Button>
          <Button kind="quiet" onClick={() => onOpenAll(false)}>
            Collapse all
          </Button>
        </>
      )}
      {children}
      <span className={style.space} />
      <Button
        kind="quiet"
        icon="pipelines"
        label={direction === "down" ? "Lay out from left to right" : "Lay out from top to bottom"}
        onClick={() => onDirection(direction === "down" ? "right" : "down")}
      />
      <span className={style.zoom}>
        <Button kind="quiet" label="Zoom out" onClick={() => void flow.zoomOut()}>
          −
        </Button>
        <Button kind="quiet" label="Zoom in" onClick={() => void flow.zoomIn()}>
          +
        </Button>
        <Button kind="quiet" icon="fit" label="Fit the graph (f)" onClick={onFit} />
      </span>
    </div>
  );
}

function Find({ search }: { search: Search }) {
  const { text, count, at } = search;
  return (
    <span className={style.find}>
      <input
        type="search"
        className="input"
        aria-label="Find a task"
        placeholder="Find a task"
        value={text}
        onChange={(event) => search.ask(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") {
            event.preventDefault();
            search.step(event.shiftKey ? -1 : 1);
          } else if (event.key === "Escape") {
            event.stopPropagation();
            search.ask("");
          }
        }}
      />
      <span className={style.count} role="status">
        {text.trim() !== "" && (count === 0 ? "none" : at === undefined ? `${count}` : `${at + 1} of ${count}`)}
      </span>
    </span>
  );
}
