import type { Json } from "../api/kfp";
import { figure } from "../model/figure";
import { scalarsOf } from "../model/previewMetrics";
import style from "./Preview.module.css";

/** Metrics by name. */
export function Metrics({ metadata }: { metadata: Record<string, Json> | undefined }) {
  const scalars = scalarsOf(metadata);
  if (scalars.length === 0) {
    return <p className="soft">Nothing was logged.</p>;
  }
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: keys scroll what has the focus
    <section className={style.scrolled} aria-label="Metrics" tabIndex={0}>
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
    </section>
  );
}
