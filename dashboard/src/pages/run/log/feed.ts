import { LogLines } from "../../../model/logLines";
import type { Standing } from "./protocol";

export interface Outside {
  ask: (url: string, signal: AbortSignal) => Promise<Response>;
  /** Waits, but not longer than until the signal. */
  pause: (ms: number, signal: AbortSignal) => Promise<void>;
  now: () => number;
  changed: () => void;
}

/** How long is waited between looks for a log that is not there yet. */
const LOOK_MS = 2_000;
const LONGEST_PAUSE_MS = 15_000;
/** Waits after the end of a log whose attempt is said to be under way. */
const DOUBTS_MS = [3_000, 10_000, 30_000, 60_000];
/** Bytes after which others have their turn. */
const TURN = 8 << 20;

type Came = "end" | "cut" | "other" | "stop";

/** Reads a log into lines, and goes on where it was when the connection is lost. */
export class Feed {
  standing: Standing = { at: "connecting" };
  lines: LogLines;
  edition = 0;
  live: boolean;
  readonly #urls: { follow: string; whole: string };
  readonly #limit: number;
  readonly #outside: Outside;
  #failures = 0;
  #doubts = 0;

  constructor(urls: { follow: string; whole: string }, live: boolean, limit: number, outside: Outside) {
    this.#urls = urls;
    this.live = live;
    this.#limit = limit;
    this.#outside = outside;
    this.lines = new LogLines(limit);
  }

  /** Whether nothing more comes. */
  get isOver(): boolean {
    return ["ended", "none", "refused"].includes(this.standing.at);
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const came = await this.#read(signal);
      if (came === "stop" || signal.aborted) {
        return;
      }
      if (came === "end") {
        this.#say({ at: "ended" });
        if (!this.live) {
          return;
        }
        await this.#outside.pause(DOUBTS_MS[Math.min(this.#doubts, DOUBTS_MS.length - 1)] ?? 0, signal);
        this.#doubts += 1;
        if (!this.live) {
          return;
        }
      }
      if (came === "other") {
        this.lines = new LogLines(this.#limit);
        this.edition += 1;
      }
    }
  }

  #say(standing: Standing): void {
    this.standing = standing;
    this.#outside.changed();
  }

  async #read(signal: AbortSignal): Promise<Came> {
    try {
      const response = await this.#outside.ask(this.live ? this.#urls.follow : this.#urls.whole, signal);
      if (!response.ok) {
        return await this.#refused(response, signal);
      }
      return await this.#take(response, signal);
    } catch (error) {
      return signal.aborted ? "stop" : this.#lost(error instanceof Error ? error.message : String(error), signal);
    }
  }

  async #refused(response: Response, signal: AbortSignal): Promise<Came> {
    const reason = reasonIn(await response.text(), response.status);
    if (response.status === 404 && this.live) {
      this.#say({ at: "waiting", reason });
      await this.#outside.pause(LOOK_MS, signal);
      return "cut";
    }
    if (response.status === 429 || response.status >= 500) {
      return this.#lost(reason, signal);
    }
    this.#say({ at: response.status === 404 ? "none" : "refused", reason });
    return "stop";
  }

  async #lost(reason: string, signal: AbortSignal): Promise<Came> {
    const pause = Math.min(1000 * 2 ** this.#failures, LONGEST_PAUSE_MS);
    this.#failures += 1;
    this.#say({ at: "lost", reason, again: this.#outside.now() + pause });
    await this.#outside.pause(pause, signal);
    return "cut";
  }

  /** Takes what is new of a log that is sent from its beginning. */
  async #take(response: Response, signal: AbortSignal): Promise<Came> {
    const known = new Known(this.lines);
    const reader = response.body?.getReader();
    this.#say({ at: "reading" });
    let turn = 0;
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
      if (done || !value) {
        return known.isPassed ? "end" : "other";
      }
      const fresh = known.pass(value);
      if (fresh === undefined) {
        void reader?.cancel().catch(() => undefined);
        return "other";
      }
      if (fresh.length > 0) {
        this.#failures = 0;
        this.#doubts = 0;
        this.lines.append(fresh);
        this.#outside.changed();
      }
      turn += value.length;
      if (turn > TURN) {
        turn = 0;
        await this.#outside.pause(0, signal);
      }
    }
  }
}

/** What is there already of a log that comes again. */
class Known {
  readonly #length: number;
  readonly #tail: Uint8Array;
  #at = 0;

  constructor(lines: LogLines) {
    this.#length = lines.bytes;
    this.#tail = lines.tail();
  }

  get isPassed(): boolean {
    return this.#at >= this.#length;
  }

  /** The part of a chunk that is new; nothing if it is of another log. */
  pass(chunk: Uint8Array): Uint8Array | undefined {
    const at = this.#at;
    this.#at += chunk.length;
    if (at >= this.#length) {
      return chunk;
    }
    const begin = this.#length - this.#tail.length;
    for (let offset = Math.max(at, begin); offset < Math.min(this.#at, this.#length); offset++) {
      if (chunk[offset - at] !== this.#tail[offset - begin]) {
        return undefined;
      }
    }
    return chunk.subarray(Math.min(chunk.length, this.#length - at));
  }
}

function reasonIn(text: string, status: number): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    if (typeof message === "string" && message !== "") {
      return message;
    }
  } catch {
    // Not the server's own words.
  }
  return `The server answered ${status}.`;
}
