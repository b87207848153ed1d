import { useId } from "react";
import { areaUnder, type CurvePoint } from "../model/previewMetrics";
import { figure } from "./Metrics";
import style from "./Preview.module.css";

const SIDE = 260;
const LEFT = 40;
const BOTTOM = 36;
const TOP = 8;
const LINES = [0, 0.25, 0.5, 0.75, 1];

const x = (share: number) => LEFT + share * SIDE;
const y = (share: number) => TOP + (1 - share) * SIDE;

/** A ROC curve, and its points as a table for whoever cannot see it or wants figures. */
export function Curve({ points }: { points: readonly CurvePoint[] }) {
  const id = useId();
  const area = areaUnder(points);
  const path = points.map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(" ");
  return (
    <figure className={style.stack}>
      <svg
        className={style.curve}
        viewBox={`0 0 ${LEFT + SIDE + 12} ${TOP + SIDE + BOTTOM}`}
        role="img"
        aria-labelledby={id}
      >
        <title id={id}>{`ROC curve of ${points.length} thresholds; area under it ${area.toFixed(3)}`}</title>
        {LINES.map((share) => (
          <g key={share} className={style.grid}>
            <line x1={x(0)} x2={x(1)} y1={y(share)} y2={y(share)} />
            <line x1={x(share)} x2={x(share)} y1={y(0)} y2={y(1)} />
            <text x={LEFT - 6} y={y(share) + 4} textAnchor="end">
              {share}
            </text>
            <text x={x(share)} y={y(0) + 14} textAnchor="middle">
              {share}
            </text>
          </g>
        ))}
        <line className={style.chance} x1={x(0)} y1={y(0)} x2={x(1)} y2={y(1)} />
        <polyline className={style.line} points={path} />
        {points.length <= 60 &&
          points.map((point, place) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: points may be the same
            <circle key={place} className={style.dot} cx={x(point.x)} cy={y(point.y)} r={3}>
              <title>{said(point)}</title>
            </circle>
          ))}
        <text className={style.axis} x={x(0.5)} y={TOP + SIDE + 32} textAnchor="middle">
          False positive rate
        </text>
        <text className={style.axis} transform={`translate(11 ${y(0.5)}) rotate(-90)`} textAnchor="middle">
          True positive rate
        </text>
      </svg>
      <figcaption>
        Area under the curve: <strong className="number">{area.toFixed(3)}</strong>
      </figcaption>
      <details>
        <summary>Points</summary>
        <div className={style.bounded}>
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
        </div>
      </details>
    </figure>
  );
}

function said({ x, y, threshold }: CurvePoint): string {
  const at = threshold === undefined ? "" : ` at threshold ${figure(threshold)}`;
  return `true positive rate ${figure(y)}, false positive rate ${figure(x)}${at}`;
}
