import { Field } from "../../design/Field";

export type Caching = "" | "on" | "off";

/** Whether tasks may take results from the cache. */
export function CachingField({ value, onChange }: { value: Caching; onChange: (value: Caching) => void }) {
  return (
    <Field
      label="Results from the cache"
      hint="Whether tasks may take what the same task with the same inputs gave before."
    >
      {(ids) => (
        <select {...ids} className="input" value={value} onChange={(event) => onChange(event.target.value as Caching)}>
          <option value="">As the pipeline says</option>
          <option value="on">Take them</option>
          <option value="off">Run everything anew</option>
        </select>
      )}
    </Field>
  );
}
