import { useMemo } from "react";
import { type Column, List } from "../../design/List";
import { fitting } from "./fit";
import style from "./RunList.module.css";
import { useWidth } from "./useWidth";

type Props<Row> = Parameters<typeof List<Row>>[0] & {
  columns: readonly Column<Row>[];
  /** What goes where there is no room for all, in this order. */
  leastWorth: readonly string[];
  /** Whether the rows are those of an earlier question. */
  isOld?: boolean;
};

/** A list that leaves out columns rather than cutting names short. */
export function FittingList<Row>({ columns, leastWorth, isOld, ...list }: Props<Row>) {
  const [place, width] = useWidth();
  const hasChecks = list.onChoose !== undefined;
  const shown = useMemo(() => fitting(columns, width, leastWorth, hasChecks), [columns, width, leastWorth, hasChecks]);
  return (
    <div ref={place} className={style.rows} data-old={isOld || undefined}>
      <List {...list} columns={shown} />
    </div>
  );
}
