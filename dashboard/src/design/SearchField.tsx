import { useEffect, useState } from "react";

const PAUSE_MS = 200;

/** Narrows a list by some letters, when whoever types pauses. */
export function SearchField({
  label,
  placeholder,
  hint,
  width,
  value,
  onChange,
}: {
  label: string;
  placeholder: string;
  hint?: string;
  /** As CSS says it; all that there is if it is not said. */
  width?: string;
  value: string;
  onChange: (text: string) => void;
}) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) {
      return;
    }
    const timer = setTimeout(() => onChange(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, value, onChange]);
  return (
    <input
      type="search"
      className="input"
      style={{ width }}
      aria-label={label}
      title={hint}
      placeholder={placeholder}
      spellCheck={false}
      value={text}
      onChange={(event) => setText(event.target.value)}
    />
  );
}
