import { figure } from "../model/figure";
import { areaUnder, type CurvePoint } from "../model/previewMetrics";
import style from "./Preview.module.css";
import { pathOf, Rates, x, y } from "./Rates";

/** A ROC curve, and its points as a table for whoever cannot see it or wants figures. */
export function Curve({ points }: { points: readonly CurvePoint[] }) {
  const area = areaUnder(points);
  return (
    <figure className={style.stack}>
      <Rates title={`ROC curve of ${points.length} thresholds; area under it ${area.toFixed(3)}`}>
        <polyline className={style.line} points={pathOf(points)} />
        {points.length <= 60 &&
          points.map((point, place) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: points may be the same
            <circle key={place} className={style.dot} cx={x(point.x)} cy={y(point.y)} r={3}>
              <title>{said(point)}</title>
            </circle>
          ))}
      </Rates>
      <figcaption>
        Area under the curve: <strong className="number">{area.toFixed(3)}</strong>
      </figcaption>
      <details>
        <summary>Points</summary>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: keys scroll what has the focus */}
        <section className={style.bounded} aria-label="Points" tabIndex={0}>
          <table className={style.table}>
            <thead>
              <tr>
                {["Threshold", "False positive rate", "True positive rate"].map((name) => (
                  <th key={name} scope="col" className={style.figure}>
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {points.slice(0, 1000).map((point, place) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: points may be the same
                <tr key={place}>
                  {[point.threshold, point.x, point.y].map((value, column) => (
                    // biome-ignore lint/suspicious/noArrayIndexKey: a cell has its place
                    <td key={column} className={style.figure}>
                      {value === undefined ? "–" : figure(value)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      </details>
    </figure>
  );
}

function said({ x, y, threshold }: CurvePoint): string {
  const at = threshold === undefined ? "" : ` at threshold ${figure(threshold)}`;
  return `true positive rate ${figure(y)}, false positive rate ${figure(x)}${at}`;
}
