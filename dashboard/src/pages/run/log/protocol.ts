/** What the page and the worker that holds a log tell each other. */
import type { Span } from "./stamp";

export type Standing =
  /** Asked for, nothing has come. */
  | { at: "connecting" }
  /** There is none yet; the server says why. */
  | { at: "waiting"; reason: string }
  | { at: "reading" }
  /** It has been read to its end. */
  | { at: "ended" }
  /** The connection is gone; it is asked for again at a time. */
  | { at: "lost"; reason: string; again: number }
  | { at: "none"; reason: string }
  | { at: "refused"; reason: string };

/** Of the times of lines: */
export type Times =
  /** They were not asked for. */
  | "off"
  /** Nothing has come by which to tell. */
  | "open"
  | "kept"
  /** The server has none. */
  | "none";

export type Request =
  /** Again, it is of the same log with or without times. */
  | { kind: "open"; follow: string; whole: string; live: boolean; limit: number; isTimed: boolean }
  /** Whether the attempt is still under way. */
  | { kind: "live"; live: boolean }
  | { kind: "lines"; from: number; to: number }
  | { kind: "search"; words: string; exact: boolean }
  /** The hit before or after a line. */
  | { kind: "seek"; from: number; step: 1 | -1 }
  | { kind: "text" };

export interface Grown {
  kind: "grown";
  standing: Standing;
  first: number;
  end: number;
  bytes: number;
  /** Bytes of the longest line. */
  longest: number;
  /** Whether the last line may go on. */
  isOpen: boolean;
  /** Counts how often it was begun anew, because it was not the same log any more or is read in another way. */
  edition: number;
  times: Times;
  /** The first and the last time that was seen. */
  span: Span | undefined;
}

export interface Found {
  kind: "found";
  words: string;
  exact: boolean;
  count: number;
  isDone: boolean;
}

export type Reply =
  | Grown
  /** Times are in milliseconds, or null where they are not known. */
  | { kind: "lines"; from: number; lines: string[]; times: (number | null)[] | undefined; edition: number }
  | Found
  /** The line of a hit, and which it is, from 0. */
  | { kind: "sought"; line: number; place: number }
  | { kind: "text"; text: string | undefined };

export const KEPT = 512 * 1024 * 1024;
/** Longest text that is copied. */
export const COPIED = 8 * 1024 * 1024;
