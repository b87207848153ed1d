import { expect, test } from "vitest";
import { type Line, linesByKind, linesOf, type Pen, traceHead, traceLine } from "./graphLines";
import type { Direction } from "./layout";

/** What was drawn, as the commands of a path. */
class Drawn implements Pen {
  path = "";
  moveTo(x: number, y: number) {
    this.path += `M${x} ${y}`;
  }
  lineTo(x: number, y: number) {
    this.path += `L${x} ${y}`;
  }
  bezierCurveTo(...at: [number, number, number, number, number, number]) {
    this.path += `C${at.join(" ")}`;
  }
}

const ALL = { left: -1e6, top: -1e6, right: 1e6, bottom: 1e6, zoom: 1 };
const line = (...points: number[]) => linesOf([{ from: "a", to: "b", points }])[0] as Line;

function traced(points: number[], { direction = "down" as Direction, sight = ALL, isCurved = true, least = 0 } = {}) {
  const drawn = new Drawn();
  traceLine(drawn, line(...points), direction, sight, isCurved, least);
  return drawn.path;
}

test("lines are straight where they can be, and leave boxes in the direction of the graph", () => {
  expect(traced([0, 0, 0, 10, 5, 30])).toBe("M0 0L0 10C0 20 5 20 5 30");
  expect(traced([0, 0, 10, 0, 30, 5], { direction: "right" })).toBe("M0 0L10 0C20 0 20 5 30 5");
  expect(traced([0, 0, 0, 10, 5, 30], { isCurved: false })).toBe("M0 0L0 10L5 30");
});

test("only the part of a line that is in sight is drawn", () => {
  const points = [0, 0, 0, 100, 0, 200, 0, 300, 500, 400];
  const sight = { left: -10, top: 120, right: 10, bottom: 180, zoom: 1 };
  expect(traced(points, { sight })).toBe("M0 100L0 200");
  expect(traced(points, { sight: { ...sight, left: 600, right: 700 } })).toBe("");
  // It goes out of sight, and comes in again.
  const bent = [0, 0, 0, 10, 900, 20, 900, 30, 0, 40, 0, 50];
  const narrow = { left: -10, top: -100, right: 10, bottom: 100, zoom: 1 };
  expect(traced(bent, { sight: narrow, isCurved: false })).toBe("M0 0L0 10L900 20M900 30L0 40L0 50");
});

test("from afar points that are close together are left out, but the last", () => {
  expect(traced([0, 0, 0, 2, 0, 4, 0, 30, 0, 31], { isCurved: false, least: 10 })).toBe("M0 0L0 30L0 31");
});

test("heads of arrows point in the direction of the graph", () => {
  const head = (direction: Direction, sight = ALL) => {
    const drawn = new Drawn();
    traceHead(drawn, line(0, 0, 3, 9), direction, sight);
    return drawn.path;
  };
  expect(head("down")).toBe("M3 9L-1.5 2L7.5 2");
  expect(head("right")).toBe("M3 9L-4 4.5L-4 13.5");
  expect(head("down", { ...ALL, left: 100 })).toBe("");
});

test("what is chosen stands out, then the critical path, then what runs", () => {
  const lines = linesOf([
    { from: "a", to: "b", points: [0, 0, 0, 1] },
    { from: "b", to: "c", points: [0, 0, 0, 1] },
    { from: "c", to: "d", points: [0, 0, 0, 1] },
  ]);
  const kinds = (...args: [string | undefined, ReadonlySet<string> | undefined, ReadonlySet<string>]) =>
    [...linesByKind(lines, ...args)].map(([kind, of]) => `${kind} ${of.map(({ to }) => to).join("")}`).sort();
  const none = new Set<string>();
  expect(kinds(undefined, undefined, none)).toEqual(["plain bcd"]);
  expect(kinds(undefined, undefined, new Set(["c"]))).toEqual(["plain bd", "running c"]);
  expect(kinds("b", undefined, new Set(["d"]))).toEqual(["dim d", "near bc"]);
  expect(kinds("b", new Set(["b\nc", "c\nd"]), none)).toEqual(["critical d", "near bc"]);
  expect(kinds(undefined, new Set(["b\nc"]), none)).toEqual(["critical c", "dim bd"]);
});
