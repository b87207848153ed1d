/**
 * Where lines are drawn. A browser cannot scroll over as many pixels as a million lines have, and lines that wrap are of
 * unknown height. So the scroll bar says one thing only: how far through the log one is. The line at that share of the
 * log is drawn at the same share of the window's height, the others around it; for lines of one height that is the same
 * as ordinary scrolling.
 */
export const ROW = 20;
/** What all browsers can scroll over. */
const TALLEST = 10_000_000;

export interface Anchor {
  /** A line, with the share of its height that lies above the place. */
  line: number;
  /** The place, in pixels from the top. */
  y: number;
}

export function scrollHeight(count: number): number {
  return Math.min(count * ROW, TALLEST);
}

/** Where lines are when the window of a height is scrolled so far. */
export function anchorAt(scrolled: number, first: number, count: number, height: number): Anchor {
  const room = scrollHeight(count) - height;
  const share = room <= 0 ? 0 : Math.min(1, Math.max(0, scrolled / room));
  return { line: first + share * count, y: share * height };
}

/** How far to scroll to have a line at a place. */
export function scrolledFor({ line, y }: Anchor, first: number, count: number, height: number): number {
  const room = scrollHeight(count) - height;
  const pixels = count * ROW - height;
  if (room <= 0 || pixels <= 0) {
    return 0;
  }
  const share = ((line - first) * ROW - y) / pixels;
  return Math.min(1, Math.max(0, share)) * room;
}

/** Where a line that is looked for goes: into the upper third, but for the beginning and the end of the log. */
export function anchorFor(line: number, first: number, end: number, height: number): Anchor {
  const y = Math.min(height / 3, (line - first) * ROW);
  return { line, y: end - first > height / ROW ? Math.max(y, height - (end - line) * ROW) : y };
}

/** The lines that are drawn, and the one that the others are around. */
export function drawn(anchor: Anchor, first: number, end: number, height: number) {
  const middle = Math.max(first, Math.min(end - 1, Math.floor(anchor.line)));
  return {
    middle,
    share: Math.min(1, anchor.line - middle),
    from: Math.max(first, middle - Math.ceil(anchor.y / ROW) - 2),
    to: Math.min(end, middle + Math.ceil((height - anchor.y) / ROW) + 3),
  };
}
