import { useMemo, useState } from "react";
import { Button } from "../design/Button";
import { Exact, type ExactJson, parseExactly } from "../model/figure";
import style from "./Preview.module.css";
import { Text } from "./Text";

const PAGE = 100;
const LONGEST = 2_000;
/** Levels that are open to begin with. */
const OPEN = 2;

/** JSON that opens and closes; as text when it is not whole, or not JSON. */
export default function JsonTree({ text, isWhole }: { text: string; isWhole: boolean }) {
  const value = useMemo(() => (isWhole ? parsed(text) : undefined), [text, isWhole]);
  if (value === undefined) {
    return <Text text={text} />;
  }
  return (
    <div className={style.json}>
      <Node value={value.json} depth={0} />
    </div>
  );
}

function parsed(text: string): { json: ExactJson } | undefined {
  try {
    return { json: parseExactly(text) };
  } catch {
    return undefined;
  }
}

function Node({ name, value, depth }: { name?: string; value: ExactJson; depth: number }) {
  const label = name === undefined ? null : <span className={style.key}>{name}: </span>;
  if (value === null || typeof value !== "object" || value instanceof Exact) {
    return (
      <div className={style.leaf}>
        {label}
        <Leaf value={value} />
      </div>
    );
  }
  return <Branch label={label} value={value} depth={depth} />;
}

function Branch({
  label,
  value,
  depth,
}: {
  label: React.ReactNode;
  value: ExactJson[] | Record<string, ExactJson>;
  depth: number;
}) {
  const [isOpen, setOpen] = useState(depth < OPEN);
  const [shown, setShown] = useState(PAGE);
  const isList = Array.isArray(value);
  // Keys of a large object are not all wanted.
  const names = useMemo(() => (isOpen ? Object.keys(value) : []), [isOpen, value]);
  const count = isList ? value.length : Object.keys(value).length;
  const size = isList ? `[${count.toLocaleString("en")}]` : `{${count.toLocaleString("en")}}`;
  return (
    <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {label}
        <span className="soft">{size}</span>
      </summary>
      {isOpen && (
        <div className={style.branch}>
          {names.slice(0, shown).map((name) => (
            <Node key={name} name={name} value={(value as Record<string, ExactJson>)[name] ?? null} depth={depth + 1} />
          ))}
          {names.length > shown && (
            <Button kind="quiet" onClick={() => setShown(shown + 10 * PAGE)}>
              Show more of {(names.length - shown).toLocaleString("en")}
            </Button>
          )}
        </div>
      )}
    </details>
  );
}

function Leaf({ value }: { value: null | boolean | number | string | Exact }) {
  const text = value instanceof Exact ? value.text : JSON.stringify(value);
  return (
    <span className={style[value instanceof Exact ? "number" : typeof value] ?? style.other}>
      {text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text}
    </span>
  );
}
