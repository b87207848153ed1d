import { Button } from "../../design/Button";
import style from "./Pipelines.module.css";
import { emptyRow, type TagRow } from "./tags";

/** Tags to be written: a row for each, and one more. */
export function TagFields({
  rows,
  onChange,
}: {
  rows: readonly TagRow[];
  onChange: (rows: readonly TagRow[]) => void;
}) {
  const change = (index: number, to: Partial<TagRow>) =>
    onChange(rows.map((row, at) => (at === index ? { ...row, ...to } : row)));
  return (
    <fieldset className={`plain ${style.tags}`}>
      <legend className={style.legend}>Tags</legend>
      {rows.map((row, index) => (
        <div key={row.id} className={style.tag}>
          {(["name", "value"] as const).map((part) => (
            <input
              key={part}
              className="input"
              aria-label={part === "name" ? `Tag ${index + 1}` : `Value of tag ${index + 1}`}
              placeholder={part === "name" ? "Tag" : "Value"}
              autoComplete="off"
              spellCheck={false}
              value={row[part]}
              onChange={(event) => change(index, { [part]: event.target.value })}
            />
          ))}
          <Button
            kind="quiet"
            icon="close"
            label={`Take away tag ${index + 1}`}
            onClick={() => onChange(rows.filter((_, at) => at !== index))}
          />
        </div>
      ))}
      <div>
        <Button icon="plus" onClick={() => onChange([...rows, emptyRow()])}>
          Add a tag
        </Button>
      </div>
    </fieldset>
  );
}
