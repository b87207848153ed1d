import { useState } from "react";
import { areaUnder, type CurvePoint } from "../model/previewMetrics";
import style from "./Preview.module.css";
import { pathOf, Rates } from "./Rates";

export interface NamedCurve {
  /** Short, as heads of columns have it. */
  mark: string;
  name: string;
  points: readonly CurvePoint[];
}

const COLOURS = 6;
/** Behind the colours the dashes change: no two lines look alike, whoever looks at them. */
const DASHES = ["none", "7 4", "2 3", "10 3 2 3"];

const look = (place: number) => ({
  stroke: `var(--series-${(place % COLOURS) + 1})`,
  strokeDasharray: DASHES[Math.floor(place / COLOURS) % DASHES.length],
});

/** ROC curves of several runs in one chart, the largest area first in its legend. */
export function Curves({ curves }: { curves: readonly NamedCurve[] }) {
  const [raised, raise] = useState<number>();
  const listed = curves
    .map((curve, place) => ({ ...curve, place, area: areaUnder(curve.points) }))
    .sort((a, b) => b.area - a.area);
  const said = listed.map(({ mark, area }) => `${mark} ${area.toFixed(3)}`).join(", ");
  // What is pointed at is drawn last, above the others.
  const drawn = [...listed].sort((a, b) => Number(a.place === raised) - Number(b.place === raised));
  return (
    <figure className={style.curves}>
      <Rates title={`ROC curves of ${curves.length} runs; areas under them: ${said}`}>
        {drawn.map(({ mark, name, points, place }) => (
          <polyline
            key={place}
            className={style.line}
            style={look(place)}
            data-faded={(raised !== undefined && raised !== place) || undefined}
            points={pathOf(points)}
          >
            <title>{`${mark} · ${name}`}</title>
          </polyline>
        ))}
      </Rates>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: keys scroll what has the focus */}
      <section className={style.bounded} aria-label="Legend" tabIndex={0}>
        <table className={style.table} aria-label="Areas under the curves">
          <thead>
            <tr>
              <th scope="col">Run</th>
              <th scope="col" className={style.figure}>
                Area
              </th>
            </tr>
          </thead>
          <tbody>
            {listed.map(({ mark, name, place, area }) => (
              <tr key={place} onPointerEnter={() => raise(place)} onPointerLeave={() => raise(undefined)}>
                <th scope="row">
                  <svg className={style.sample} viewBox="0 0 28 8" aria-hidden="true">
                    <line className={style.line} style={look(place)} x1={0} x2={28} y1={4} y2={4} />
                  </svg>{" "}
                  {mark} · {name}
                </th>
                <td className={style.figure}>{area.toFixed(3)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </figure>
  );
}
