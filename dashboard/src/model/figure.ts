/** How numbers are written, wherever pages show one that came of a run. */
import type { Json } from "../api/kfp";

/** Digits that count in a fraction, and those behind the point of a number with many before it. */
const COUNTING = 6;
const BEHIND = 2;

/** A number with every digit before its point and some of those behind it; a text as it is; anything else as JSON. */
export function figure(value: Json): string {
  if (typeof value === "number" && !Number.isInteger(value) && Number.isFinite(value)) {
    return String(rounded(value));
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}

function rounded(value: number): number {
  const before = Math.trunc(Math.abs(value)).toString().length;
  return Math.abs(value) < 1
    ? Number(value.toPrecision(COUNTING))
    : Number(value.toFixed(Math.max(BEHIND, COUNTING - before)));
}

/** A number as a text has it, where JavaScript's numbers cannot hold it or would write it in another way. */
export class Exact {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type ExactJson = null | boolean | number | string | Exact | ExactJson[] | { [key: string]: ExactJson };

/** Strings, which are passed over, and numbers. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** JSON whose numbers keep every digit that was written. Throws as `JSON.parse` does. */
export function parseExactly(text: string): ExactJson {
  let mark = "exact:";
  while (text.includes(mark)) {
    mark = `-${mark}`;
  }
  const marked = text.replace(TOKENS, (token) =>
    token.startsWith('"') || String(Number(token)) === token ? token : `"${mark}${token}"`,
  );
  return marked === text ? JSON.parse(text) : JSON.parse(marked, (_, value) => exact(value, mark));
}

const exact = (value: ExactJson, mark: string) =>
  typeof value === "string" && value.startsWith(mark) ? new Exact(value.slice(mark.length)) : value;
