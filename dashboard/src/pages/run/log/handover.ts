import type { Reading } from "./reading";

/** For so long nothing comes of a log that is not as long as the one before. */
const QUIET_MS = 2_000;

/** The reading that is shown. One that is begun instead takes its place when it has come as far, so that nothing moves. */
export class Handover {
  shown: Reading | undefined;
  coming: Reading | undefined;
  readonly #done: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(done: () => void) {
    this.#done = done;
  }

  /** The one of which it is said how it stands. */
  get newest(): Reading | undefined {
    return this.coming ?? this.shown;
  }

  begin(next: Reading): void {
    this.newest?.stop();
    this.coming = next;
    this.heard(next);
  }

  /** A reading has got on. */
  heard(reading: Reading): void {
    if (reading !== this.coming) {
      return;
    }
    clearTimeout(this.#timer);
    const { isOver, lines, standing } = reading.feed;
    if (isOver || lines.end >= (this.shown?.feed.lines.end ?? 0)) {
      this.#finish(reading);
    } else if (standing.at === "reading") {
      // It may be another log, which is shorter and goes on.
      this.#timer = setTimeout(() => this.#finish(reading), QUIET_MS);
    }
  }

  #finish(reading: Reading): void {
    this.shown = reading;
    this.coming = undefined;
    this.#done();
  }
}
