import { describe, expect, it } from "vitest";
import { anchorAt, anchorFor, drawn, ROW, scrolledFor, scrollHeight } from "./place";

const HEIGHT = 600;
/** Where a line of ordinary height is drawn. */
const top = (line: number, anchor: { line: number; y: number }) => anchor.y - (anchor.line - line) * ROW;

describe("where lines of a log are", () => {
  it("is that of ordinary scrolling while a browser can", () => {
    const count = 400_000;
    expect(scrollHeight(count)).toBe(count * ROW);
    for (const scrolled of [0, 1, 777, 4_000_000, count * ROW - HEIGHT]) {
      const anchor = anchorAt(scrolled, 0, count, HEIGHT);
      expect(top(0, anchor)).toBeCloseTo(-scrolled, 3);
      expect(scrolledFor(anchor, 0, count, HEIGHT)).toBeCloseTo(scrolled, 3);
    }
  });

  it("reaches the first and the last of ten million", () => {
    const count = 10_000_000;
    const height = scrollHeight(count);
    expect(height).toBeLessThan(17_000_000);
    expect(anchorAt(0, 0, count, HEIGHT)).toEqual({ line: 0, y: 0 });
    const last = anchorAt(height - HEIGHT, 0, count, HEIGHT);
    expect(last).toEqual({ line: count, y: HEIGHT });
    const lines = drawn(last, 0, count, HEIGHT);
    expect([lines.middle, lines.share, lines.to]).toEqual([count - 1, 1, count]);
    expect(lines.to - lines.from).toBeLessThan(40);
    const sought = anchorFor(5_000_000, 0, count, HEIGHT);
    expect(anchorAt(scrolledFor(sought, 0, count, HEIGHT), 0, count, HEIGHT).line).toBeCloseTo(5_000_000, -2);
  });

  it("shows a line that is looked for, without gaps at the ends", () => {
    expect(anchorFor(0, 0, 1000, HEIGHT)).toEqual({ line: 0, y: 0 });
    expect(anchorFor(500, 0, 1000, HEIGHT)).toEqual({ line: 500, y: 200 });
    expect(anchorFor(999, 0, 1000, HEIGHT)).toEqual({ line: 999, y: HEIGHT - ROW });
    expect(anchorFor(3, 0, 5, HEIGHT)).toEqual({ line: 3, y: 60 });
  });

  it("counts from the first line that is kept", () => {
    const anchor = anchorAt(0, 5000, 1000, HEIGHT);
    expect(drawn(anchor, 5000, 6000, HEIGHT)).toMatchObject({ middle: 5000, from: 5000, share: 0 });
  });

  it("is nowhere in an empty log", () => {
    expect(drawn(anchorAt(0, 0, 0, HEIGHT), 0, 0, HEIGHT)).toMatchObject({ from: 0, to: 0 });
  });
});
