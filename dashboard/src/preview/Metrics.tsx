import type { Json } from "../api/kfp";
import { scalarsOf } from "../model/previewMetrics";
import style from "./Preview.module.css";

/** Metrics by name. */
export function Metrics({ metadata }: { metadata: Record<string, Json> | undefined }) {
  const scalars = scalarsOf(metadata);
  if (scalars.length === 0) {
    return <p className="soft">Nothing was logged.</p>;
  }
  return (
    <div className={style.scrolled}>
      <table className={style.table}>
        <thead>
          <tr>
            <th scope="col">Metric</th>
            <th scope="col" className={style.figure}>
              Value
            </th>
          </tr>
        </thead>
        <tbody>
          {scalars.map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td className={style.figure} title={typeof value === "number" ? String(value) : undefined}>
                {figure(value)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A number with six digits that count; anything else as it is. */
export function figure(value: Json): string {
  if (typeof value === "number") {
    return Number.isInteger(value) ? value.toLocaleString("en") : String(Number(value.toPrecision(6)));
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}
