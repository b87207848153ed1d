import type { Json, Run } from "../../api/kfp";
import { Card } from "../../design/Page";
import { extremes, type Row, unlikeMost } from "../../model/compare";
import style from "./Compare.module.css";
import { letter } from "./letter";

/** Values of several runs beside each other, those that differ marked. */
export function Table({
  title,
  runs,
  rows,
  total,
  isMeasured = false,
}: {
  title: string;
  runs: readonly Run[];
  rows: readonly Row[];
  total: number;
  /** Whether it is of interest which number is least and which is most: of what was measured, not of what was given. */
  isMeasured?: boolean;
}) {
  const isMixed = rows.some((row) => !row.differs);
  if (total === 0) {
    return (
      <Card title={title}>
        <p className={`soft ${style.padded}`}>None of these runs has any.</p>
      </Card>
    );
  }
  return (
    <Card
      title={title}
      actions={
        rows.length < total && <span className="soft small">{total - rows.length} that are alike are not shown</span>
      }
    >
      {rows.length === 0 ? (
        <p className={`soft ${style.padded}`}>They are alike in all of these runs.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys
        <section className={style.scroll} tabIndex={0} aria-label={title}>
          <table className={`list ${style.table}`} aria-label={title}>
            <thead>
              <tr>
                <th scope="col">Name</th>
                {runs.map((run, index) => (
                  <th key={run.run_id} scope="col" title={run.display_name}>
                    {letter(index)} <span className="soft">{run.display_name}</span>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <Line key={row.name} {...{ row, runs, isMeasured, isMixed }} />
              ))}
            </tbody>
          </table>
        </section>
      )}
    </Card>
  );
}

function Line({
  row,
  runs,
  isMeasured,
  isMixed,
}: {
  row: Row;
  runs: readonly Run[];
  isMeasured: boolean;
  /** Whether rows that are alike in all runs are shown too. */
  isMixed: boolean;
}) {
  const { least, most } = isMeasured ? extremes(row) : { least: [], most: [] };
  const unlike = unlikeMost(row);
  return (
    <tr data-differs={(isMixed && row.differs) || undefined}>
      <th scope="row">{row.name}</th>
      {row.values.map((value, index) => (
        <td key={runs[index]?.run_id} className="mono" data-unlike={unlike.includes(index) || undefined}>
          {text(value)}
          {row.byDefault?.[index] && <span className={style.mark}> default</span>}
          {least.includes(index) && <span className={style.mark}> least</span>}
          {most.includes(index) && <span className={style.mark}> most</span>}
        </td>
      ))}
    </tr>
  );
}

function text(value: Json | undefined): string {
  if (value === undefined) {
    return "–";
  }
  return (typeof value === "string" ? value : JSON.stringify(value)).slice(0, 500);
}
