import { Icon } from "../../design/Icon";
import { type ValueName, valueKey } from "../../model/runValues";
import style from "./RunList.module.css";

const KINDS = [
  { kind: "parameters", title: "Parameters", none: "The runs that are loaded have no parameters." },
  { kind: "metrics", title: "Metrics", none: "The runs that are loaded have no scalar metrics." },
] as const;

/** Which parameters and metrics have a column. */
export function ColumnChooser({
  known,
  shown,
  onShow,
}: {
  known: readonly ValueName[];
  shown: readonly ValueName[];
  onShow: (columns: readonly ValueName[]) => void;
}) {
  const isShown = (name: ValueName) => shown.some((it) => valueKey(it) === valueKey(name));
  const toggle = (name: ValueName) =>
    onShow(isShown(name) ? shown.filter((it) => valueKey(it) !== valueKey(name)) : [...shown, name]);
  return (
    <details className={style.columns}>
      <summary>
        <Icon name="columns" />
        Columns
      </summary>
      <div>
        {KINDS.map(({ kind, title, none }) => {
          const others = known.filter((name) => name.kind === kind && !isShown(name));
          const names = [...shown.filter((name) => name.kind === kind), ...others];
          return (
            <fieldset key={kind} className="plain">
              <legend>{title}</legend>
              {names.length === 0 && <span className="soft">{none}</span>}
              {names.map((name) => (
                <label key={name.name}>
                  <input type="checkbox" checked={isShown(name)} onChange={() => toggle(name)} />
                  <span className="ellipsis">{name.name}</span>
                </label>
              ))}
            </fieldset>
          );
        })}
      </div>
    </details>
  );
}
