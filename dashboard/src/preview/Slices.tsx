import { useId, useState } from "react";
import type { Json } from "../api/kfp";
import { slicesOf } from "../model/previewMetrics";
import Classification from "./Classification";
import style from "./Preview.module.css";

/** Metrics of a classification, slice by slice. */
export default function Slices({ metadata }: { metadata: Record<string, Json> | undefined }) {
  const slices = slicesOf(metadata);
  const [chosen, choose] = useState(0);
  const id = useId();
  const slice = slices[chosen];
  if (!slice) {
    return <p className="soft">Nothing was logged.</p>;
  }
  return (
    <div className={style.stack}>
      <div className={style.choice}>
        <label htmlFor={id}>Slice</label>
        <select id={id} className="input" value={chosen} onChange={(event) => choose(Number(event.target.value))}>
          {slices.map((it, place) => (
            <option key={it.name} value={place}>
              {it.name}
            </option>
          ))}
        </select>
      </div>
      <Classification metadata={slice.metadata} />
    </div>
  );
}
