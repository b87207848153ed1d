import { type ReactNode, useId } from "react";
import style from "./Field.module.css";

/** A question of a form: its name, what to answer, and what is wrong with the answer. */
export function Field({
  label,
  hint,
  error,
  required = false,
  children,
}: {
  label: ReactNode;
  hint?: ReactNode;
  error?: string | undefined;
  required?: boolean;
  /** Draws the control with the ids that join it to its texts. */
  children: (ids: { id: string; "aria-describedby"?: string; "aria-invalid"?: true }) => ReactNode;
}) {
  const id = useId();
  const describedBy = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div className={style.field}>
      <label htmlFor={id} className={style.label}>
        {label}
        {required && <span className="soft"> (required)</span>}
      </label>
      {children({
        id,
        ...(describedBy ? { "aria-describedby": describedBy } : {}),
        ...(error ? { "aria-invalid": true as const } : {}),
      })}
      {hint && (
        <div id={`${id}-hint`} className={style.hint}>
          {hint}
        </div>
      )}
      {error && (
        <div id={`${id}-error`} className={style.error} role="alert">
          {error}
        </div>
      )}
    </div>
  );
}
