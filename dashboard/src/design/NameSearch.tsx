import { useEffect, useState } from "react";

const PAUSE_MS = 200;

/** Narrows a list by some letters of names, when whoever types pauses. */
export function NameSearch({ value, onChange }: { value: string; onChange: (text: string) => void }) {
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
    <search>
      <input
        type="search"
        className="input"
        style={{ maxWidth: "20rem" }}
        aria-label="Part of the name"
        placeholder="Name contains"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
    </search>
  );
}
