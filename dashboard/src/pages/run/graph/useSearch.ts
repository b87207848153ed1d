import { useMemo, useState } from "react";
import type { Item } from "../../../model/graph";

export interface Search {
  text: string;
  ask: (text: string) => void;
  /** Paths of what was found. */
  found: readonly string[];
  count: number;
  /** Which of them is looked at. */
  at: number | undefined;
  step: (by: 1 | -1) => void;
}

/** Finds items by letters of their names, and goes from one to the next. */
export function useSearch(all: () => Iterable<Item>, go: (path: string) => void): Search {
  const [text, setText] = useState("");
  const [at, setAt] = useState<number>();
  const wanted = text.trim().toLowerCase();
  const found = useMemo(() => {
    if (wanted === "") {
      return [];
    }
    const fits = (item: Item) => `${item.name}\n${item.path}`.toLowerCase().includes(wanted);
    const inName = (item: Item) => item.name.toLowerCase().includes(wanted) || item.key.toLowerCase().includes(wanted);
    const items = [...all()].filter(fits);
    // A group's name is in the paths of all that it holds: what is called so itself comes first.
    return [...items.filter(inName), ...items.filter((item) => !inName(item))].map((item) => item.path);
  }, [wanted, all]);
  return {
    text,
    ask: (next) => {
      setText(next);
      setAt(undefined);
    },
    found,
    count: found.length,
    at,
    step: (by) => {
      if (found.length === 0) {
        return;
      }
      const next = at === undefined ? (by === 1 ? 0 : found.length - 1) : (at + by + found.length) % found.length;
      setAt(next);
      go(found[next] as string);
    },
  };
}
