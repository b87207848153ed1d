import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type ReactNode, useEffect, useMemo, useRef } from "react";
import { useShortcuts } from "../app/keys";
import { Icon } from "./Icon";
import style from "./List.module.css";

export interface Column<Row> {
  key: string;
  label: string;
  /** As CSS says it; the rest of the width goes to those that say none. */
  width?: string;
  /** In rem, what is needed of the rest; what a name needs if it is not said. */
  least?: string;
  /** By what the server sorts for it, if it can. */
  sort?: string;
  align?: "end";
  render: (row: Row) => ReactNode;
}

export interface Sort {
  by: string;
  descending: boolean;
}

interface Props<Row> {
  label: string;
  rows: readonly Row[];
  id: (row: Row) => string;
  /** What a row is called where its checkbox is read out. */
  name: (row: Row) => string;
  columns: readonly Column<Row>[];
  sort?: Sort;
  onSort?: (sort: Sort) => void;
  chosen?: ReadonlySet<string>;
  onChoose?: (ids: ReadonlySet<string>) => void;
  hasMore?: boolean;
  isLoadingMore?: boolean;
  onMore?: () => void;
}

const ROW = 40;

/** A table of any length: only what is in view is drawn, and more is asked for as its end comes near. */
export function List<Row>(props: Props<Row>) {
  const { label, rows, id, columns, chosen, onChoose, hasMore = false, isLoadingMore = false, onMore } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 12,
    getItemKey: (index) => {
      const row = rows[index];
      return row === undefined ? index : id(row);
    },
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && !isLoadingMore && last >= rows.length - 20) {
      onMore?.();
    }
  }, [hasMore, isLoadingMore, last, rows.length, onMore]);

  // Where the focus is on its way to: keys that follow count from there.
  const heading = useRef<number>(undefined);
  const focusRow = (index: number) => {
    heading.current = index;
    virtual.scrollToIndex(index);
    // The row may have to be drawn first.
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        if (heading.current === index) {
          heading.current = undefined;
          const row = `[data-index="${index}"]`;
          scroller.current?.querySelector<HTMLElement>(`${row} a, ${row} button`)?.focus();
        }
      }),
    );
  };
  const toggle = (row: Row) => {
    const after = new Set(chosen);
    if (!after.delete(id(row))) {
      after.add(id(row));
    }
    onChoose?.(after);
  };
  const answer = (event: KeyboardEvent<HTMLElement>) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLSelectElement) {
      return;
    }
    const focused = (event.target as HTMLElement).closest("[data-index]")?.getAttribute("data-index");
    const at = heading.current ?? Number(focused ?? -1);
    const step = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
    const row = rows[at];
    if (step !== undefined && rows.length > 0) {
      event.preventDefault();
      focusRow(Math.max(0, Math.min(rows.length - 1, at + step)));
    } else if (event.key === "x" && onChoose && row !== undefined) {
      toggle(row);
    }
  };
  const latest = useRef(focusRow);
  latest.current = focusRow;
  useShortcuts(
    useMemo(() => {
      // Wherever the focus is; of several lists on a page the first one answers.
      const begin = (place: "first" | "last") => {
        if (rows.length > 0 && scroller.current === document.querySelector("[data-list]")) {
          latest.current(place === "first" ? 0 : rows.length - 1);
        }
      };
      return [
        { keys: "j", label: "First row", perform: () => begin("first") },
        { keys: "k", label: "Last row", perform: () => begin("last") },
      ];
    }, [rows.length]),
  );
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys move among the links within
    <div ref={scroller} className={style.scroller} data-list onKeyDown={answer}>
      <table
        className={style.list}
        style={{ minWidth: narrowest(columns, onChoose !== undefined) }}
        aria-label={label}
        aria-rowcount={hasMore ? -1 : rows.length + 1}
      >
        <Head {...props} />
        <tbody>
          {before > 0 && <Gap height={before} />}
          {items.map((item) => {
            const row = rows[item.index];
            return (
              row !== undefined && (
                <tr
                  key={item.key}
                  data-index={item.index}
                  aria-rowindex={item.index + 2}
                  aria-selected={chosen?.has(id(row)) || undefined}
                >
                  {onChoose && (
                    <td className={style.check}>
                      <input
                        type="checkbox"
                        aria-label={`Choose ${props.name(row)}`}
                        checked={chosen?.has(id(row)) ?? false}
                        onChange={() => toggle(row)}
                      />
                    </td>
                  )}
                  {columns.map((column) => (
                    <td key={column.key} data-align={column.align}>
                      {column.render(row)}
                    </td>
                  ))}
                </tr>
              )
            );
          })}
          {after > 0 && <Gap height={after} />}
        </tbody>
      </table>
      {isLoadingMore && (
        <p className={style.more} role="status">
          Loading more…
        </p>
      )}
    </div>
  );
}

/** So wide that the columns which say no width of their own can be read, however many others there are. Below it the table
 * is moved and not squeezed: what a row is called can be told from the next one. */
function narrowest<Row>(columns: readonly Column<Row>[], hasChecks: boolean): string {
  const widths = columns.map((column) => column.width ?? column.least ?? "14rem");
  return `calc(${[...widths, hasChecks ? "2.75rem" : "0rem"].join(" + ")})`;
}

function Gap({ height }: { height: number }) {
  return (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: nothing in it can be focused
    <tr aria-hidden="true" className={style.gap}>
      <td style={{ height }} />
    </tr>
  );
}

function Head<Row>({ columns, rows, id, sort, onSort, chosen, onChoose }: Props<Row>) {
  const areAll = rows.length > 0 && rows.every((row) => chosen?.has(id(row)));
  return (
    <thead>
      <tr>
        {onChoose && (
          <th scope="col" className={style.check}>
            <input
              type="checkbox"
              aria-label="Choose all that are loaded"
              checked={areAll}
              onChange={() => onChoose(new Set(areAll ? [] : rows.map(id)))}
            />
          </th>
        )}
        {columns.map((column) => {
          const isSorted = sort !== undefined && column.sort === sort.by;
          const direction = isSorted ? (sort.descending ? "descending" : "ascending") : undefined;
          return (
            <th
              key={column.key}
              scope="col"
              style={{ width: column.width }}
              data-align={column.align}
              aria-sort={direction}
            >
              {column.sort !== undefined && onSort ? (
                <button
                  type="button"
                  className={style.sort}
                  data-direction={direction}
                  onClick={() =>
                    onSort({ by: column.sort ?? "", descending: isSorted ? !sort.descending : column.key !== "name" })
                  }
                >
                  {column.label}
                  <Icon name="down" size={12} />
                </button>
              ) : (
                column.label
              )}
            </th>
          );
        })}
      </tr>
    </thead>
  );
}
