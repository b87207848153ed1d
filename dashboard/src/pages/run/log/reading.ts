import { Feed, type Outside } from "./feed";
import type { Request, Times } from "./protocol";
import { isBegun, type Span, type Stamped, stamped, stampLength, widened, withoutStamps } from "./stamp";

/** Lines by which it is found out whether the server put times in front of them. */
const LOOKED = 20;
/** Bytes that are copied at a time. */
const SLICE = 1 << 20;

/** A log as it was asked for: with times in front of its lines, or without. */
export class Reading {
  readonly feed: Feed;
  times: Times;
  /** Of the lines that were looked at. */
  span: Span | undefined;
  readonly #isTimed: boolean;
  readonly #stop = new AbortController();
  #edition = 0;
  #looked = 0;

  constructor(
    { follow, whole, live, limit, isTimed }: Extract<Request, { kind: "open" }>,
    outside: Omit<Outside, "changed">,
    changed: (reading: Reading) => void,
  ) {
    this.#isTimed = isTimed;
    this.times = isTimed ? "open" : "off";
    this.feed = new Feed({ follow, whole }, live, limit, { ...outside, changed: () => changed(this) });
  }

  run(): Promise<void> {
    return this.feed.run(this.#stop.signal);
  }

  /** Reads no further; what was read stays. */
  stop(): void {
    this.#stop.abort();
  }

  /** Whether there may be times in front of the lines. */
  get isStamped(): boolean {
    return this.times === "open" || this.times === "kept";
  }

  /** Looks at what has come; true if what was said of lines before does not hold any more. */
  look(): boolean {
    const isOther = this.feed.edition !== this.#edition;
    if (isOther) {
      this.#edition = this.feed.edition;
      this.#looked = 0;
      this.span = undefined;
      this.times = this.#isTimed ? "open" : "off";
    }
    const before = this.times;
    this.#judge();
    return isOther || (this.times === "none" && before !== "none");
  }

  /** Reads the first lines: a server that keeps no times sends them as they are. */
  #judge(): void {
    const { lines } = this.feed;
    while (this.isStamped && this.#looked < Math.min(LOOKED, lines.end)) {
      const line = lines.line(this.#looked);
      const isOpen = this.#isOpen(this.#looked);
      if (stampLength(line) > 0) {
        this.times = "kept";
        this.#note(line, isOpen);
      } else if (!(isOpen && isBegun(line))) {
        this.times = "none";
        this.span = undefined;
      }
      if (isOpen) {
        return;
      }
      this.#looked += 1;
    }
  }

  #isOpen(number: number): boolean {
    const { lines } = this.feed;
    return lines.isOpen && number === lines.end - 1;
  }

  #note(line: string, isOpen: boolean): Stamped {
    const found = stamped(line, isOpen);
    if (found.at !== null) {
      this.span = widened(this.span, found.at);
    }
    return found;
  }

  /** Takes the last line into the span. */
  reach(): void {
    const { lines } = this.feed;
    if (this.isStamped && lines.end > lines.first) {
      this.#note(lines.line(lines.end - 1), this.#isOpen(lines.end - 1));
    }
  }

  /** Lines without their times, and these beside them if there are any. */
  part(from: number, to: number): { lines: string[]; times: (number | null)[] | undefined } {
    const { lines } = this.feed;
    const all = Array.from({ length: Math.max(0, to - from) }, (_, at) => lines.line(from + at));
    if (!this.isStamped) {
      return { lines: all, times: undefined };
    }
    const found = all.map((line, at) => this.#note(line, this.#isOpen(from + at)));
    return { lines: found.map(({ text }) => text), times: found.map(({ at }) => at) };
  }

  /** All of it without times; nothing if that is longer than so much. */
  text(limit: number): string | undefined {
    const { lines } = this.feed;
    if (!this.isStamped) {
      return lines.bytes <= limit ? lines.text(lines.first, lines.end) : undefined;
    }
    let text = "";
    for (let at = lines.first; at < lines.end && text.length <= limit; ) {
      const next = lines.within(at, SLICE);
      text += withoutStamps(lines.text(at, next));
      at = next;
    }
    return lines.first === 0 && text.length <= limit ? text : undefined;
  }
}
