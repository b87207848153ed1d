import type { ReactNode } from "react";
import { Field } from "./Field";

/** A question that is answered by a line of text. */
export function TextField({
  label,
  value,
  onChange,
  hint,
  placeholder,
  error,
  required = false,
}: {
  label: string;
  value: string;
  onChange: (text: string) => void;
  hint?: ReactNode;
  placeholder?: string;
  error?: string | undefined;
  required?: boolean;
}) {
  return (
    <Field label={label} hint={hint} error={error} required={required}>
      {(ids) => (
        <input
          {...ids}
          className="input"
          value={value}
          placeholder={placeholder}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}
