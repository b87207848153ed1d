import type { Json } from "../api/kfp";
import { type Confusion, confusionOf, curveOf } from "../model/previewMetrics";
import { Curve } from "./Curve";
import { Metrics } from "./Metrics";
import style from "./Preview.module.css";

/** Metrics of a classification: a ROC curve, a matrix of confusion, or whatever else was logged. */
export default function Classification({ metadata }: { metadata: Record<string, Json> | undefined }) {
  const points = curveOf(metadata);
  const confusion = confusionOf(metadata);
  const { confidenceMetrics: _, confusionMatrix: _m, ...rest } = metadata ?? {};
  const others = Object.keys(rest).filter((name) => name !== "display_name").length > 0;
  return (
    <div className={style.stack}>
      {points.length > 0 && <Curve points={points} />}
      {confusion && <Matrix confusion={confusion} />}
      {(others || (points.length === 0 && !confusion)) && <Metrics metadata={rest} />}
    </div>
  );
}

/** How often which class was taken for which: darker is more often, within a row. */
function Matrix({ confusion }: { confusion: Confusion }) {
  const { names, rows } = confusion;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: keys scroll what has the focus
    <section className={style.scrolled} aria-label="Confusion matrix" tabIndex={0}>
      <table className={style.matrix}>
        <caption>Confusion matrix</caption>
        <thead>
          <tr>
            <th scope="col">Actual \ predicted</th>
            {names.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, place) => {
            const sum = row.reduce((total, cell) => total + cell, 0);
            return (
              // biome-ignore lint/suspicious/noArrayIndexKey: a row has its place
              <tr key={place}>
                <th scope="row">{names[place] ?? `class ${place + 1}`}</th>
                {row.map((cell, column) => {
                  const share = sum > 0 ? cell / sum : 0;
                  return (
                    <td
                      // biome-ignore lint/suspicious/noArrayIndexKey: a cell has its place
                      key={column}
                      data-right={place === column || undefined}
                      style={{
                        background: `color-mix(in srgb, var(--chosen) ${Math.round(share * 100)}%, transparent)`,
                      }}
                      title={`${(share * 100).toFixed(1)} % of ${names[place] ?? ""}`}
                    >
                      {cell.toLocaleString("en")}
                    </td>
                  );
                })}
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}
