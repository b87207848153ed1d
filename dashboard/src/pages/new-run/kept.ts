/** What is typed into the form of a run, kept in this tab until it is sent: a reload loses nothing. */
import { useCallback, useState } from "react";
import type { Answers } from "../../model/parameters";
import type { Typed } from "./draft";

export interface Kept {
  typed: Typed;
  /** Answers for parameters; undefined until one was given. */
  given?: Answers;
}

const key = (name: string) => `penstock.new-run.${name}`;

export function readKept(stored: string | null, first: Typed): Kept {
  try {
    const { typed, given } = JSON.parse(stored ?? "{}") as Partial<Kept>;
    const isText = (value: unknown) => typeof value === "string";
    const texts = Object.fromEntries(Object.entries(typed ?? {}).filter(([name, it]) => name in first && isText(it)));
    const answers = Object.fromEntries(Object.entries(given ?? {}).filter(([, it]) => isText(it)));
    return { typed: { ...first, ...texts }, ...(given && { given: answers as Answers }) };
  } catch {
    // Another version wrote it, or the browser stores nothing.
    return { typed: first };
  }
}

export function isTouched({ typed, given }: Kept, first: Typed): boolean {
  return given !== undefined || Object.entries(first).some(([name, text]) => typed[name as keyof Typed] !== text);
}

/** What is typed into a form of some name, how to change it, whether anything is, and how to forget it. */
export function useKept(name: string, first: Typed) {
  const [kept, setKept] = useState(() => readKept(stored(key(name)), first));
  const change = (to: Partial<Kept>) => {
    const after = { ...kept, ...to };
    setKept(after);
    store(key(name), isTouched(after, first) ? JSON.stringify(after) : null);
  };
  const forget = useCallback(() => store(key(name), null), [name]);
  return { kept, change, isUnsaved: isTouched(kept, first), forget };
}

function stored(name: string): string | null {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}

function store(name: string, text: string | null): void {
  try {
    if (text === null) {
      sessionStorage.removeItem(name);
    } else {
      sessionStorage.setItem(name, text);
    }
  } catch {
    // It is full, or there is none: the form works without.
  }
}
