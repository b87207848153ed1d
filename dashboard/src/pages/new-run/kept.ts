/** What is typed into a form, kept in this tab until it is sent: a reload loses nothing. */
import { useCallback, useState } from "react";
import type { Answers } from "../../model/parameters";

/** What a form has typed, all of it texts. */
type Texts<Typed> = { [Name in keyof Typed]: string };

export interface Kept<Typed> {
  typed: Typed;
  /** Answers for parameters; undefined until one was given. */
  given?: Answers;
}

const key = (name: string) => `penstock.${name}`;

export function readKept<Typed extends Texts<Typed>>(stored: string | null, first: Typed): Kept<Typed> {
  try {
    const { typed, given } = JSON.parse(stored ?? "{}") as Partial<Kept<Typed>>;
    const isText = (value: unknown) => typeof value === "string";
    const texts = Object.fromEntries(
      Object.entries(typed ?? {}).filter(([name, it]) => Object.hasOwn(first, name) && isText(it)),
    );
    const answers = Object.fromEntries(Object.entries(given ?? {}).filter(([, it]) => isText(it)));
    return { typed: { ...first, ...texts }, ...(given && { given: answers as Answers }) };
  } catch {
    // Another version wrote it, or the browser stores nothing.
    return { typed: first };
  }
}

export function isTouched<Typed extends Texts<Typed>>({ typed, given }: Kept<Typed>, first: Typed): boolean {
  const names = Object.keys(first) as (keyof Typed)[];
  return given !== undefined || names.some((name) => typed[name] !== first[name]);
}

/** What is typed into a form of some name (`new-run.`, and what it is a clone of), how to change it, whether anything is, and how to forget it. */
export function useKept<Typed extends Texts<Typed>>(name: string, first: Typed) {
  const [kept, setKept] = useState(() => readKept(stored(key(name)), first));
  const change = (to: Partial<Kept<Typed>>) => {
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
