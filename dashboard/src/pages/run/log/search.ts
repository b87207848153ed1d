import { lowered, plain } from "../../../model/ansi";
import type { LogLines } from "../../../model/logLines";
import { stampLength } from "./stamp";

/** Bytes that are searched before others have their turn. */
const SLICE = 1 << 20;

/** Looks for words in a log, part by part; goes on when the log does. */
export class Search {
  readonly needle: string;
  readonly #exact: boolean;
  /** Numbers of the lines that have it. */
  readonly hits: number[] = [];
  #next = 0;

  constructor(words: string, exact: boolean) {
    this.#exact = exact;
    this.needle = exact ? words : lowered(words);
  }

  /** Searches the next part, but not the times in it; false when there is no more to search by now. */
  advance(lines: LogLines, isOver: boolean, isStamped: boolean): boolean {
    // A line is searched when it is whole.
    const end = lines.isOpen && !isOver ? lines.end - 1 : lines.end;
    this.#next = Math.max(this.#next, lines.first);
    if (this.#next >= end) {
      return false;
    }
    const until = Math.min(end, lines.within(this.#next, SLICE));
    const text = lines.text(this.#next, until);
    // Most parts have no hit at all, which is found out at once.
    if (this.#fold(text).includes(this.needle) || text.includes("\x1b")) {
      this.#note(text, isStamped);
    }
    this.#next = until;
    return until < end;
  }

  #note(text: string, isStamped: boolean): void {
    const parts = text.split("\n");
    if (parts.at(-1) === "") {
      parts.pop();
    }
    for (const [at, line] of parts.entries()) {
      const words = isStamped ? line.slice(stampLength(line)) : line;
      if (this.#fold(plain(words)).includes(this.needle)) {
        this.hits.push(this.#next + at);
      }
    }
  }

  #fold(text: string): string {
    return this.#exact ? text : lowered(text);
  }

  /** Place among the hits of the first at or behind a line. */
  place(line: number): number {
    let [low, high] = [0, this.hits.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.hits[middle] ?? 0) < line) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}
