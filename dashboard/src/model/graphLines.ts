/** The lines between boxes: how each is drawn, and the part of it that is in sight. */
import { edgeName } from "./criticalPath";
import type { Sight } from "./graphSight";
import type { Direction, Route } from "./layout";

export type LineKind = "plain" | "dim" | "near" | "running" | "critical";

/** From the back to the front. */
export const LINE_KINDS: readonly LineKind[] = ["dim", "plain", "running", "critical", "near"];

/** A line, and what it lies within. */
export interface Line extends Route {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** What draws: a canvas, or its path. */
export interface Pen {
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
  bezierCurveTo(x1: number, y1: number, x2: number, y2: number, x: number, y: number): void;
}

export function linesOf(routes: readonly Route[]): Line[] {
  return routes.map((route) => {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let at = 0; at < route.points.length; at += 2) {
      const [x, y] = [route.points[at] as number, route.points[at + 1] as number];
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
    return { ...route, left, top, right, bottom };
  });
}

/** Lines by how they look. What is chosen, or the critical path, stands out from all others. */
export function linesByKind(
  lines: readonly Line[],
  selected: string | undefined,
  critical: ReadonlySet<string> | undefined,
  /** Paths of what runs: what leads there moves. */
  running: ReadonlySet<string>,
): ReadonlyMap<LineKind, readonly Line[]> {
  const kindOf = ({ from, to }: Line): LineKind => {
    if (selected !== undefined && (from === selected || to === selected)) {
      return "near";
    }
    if (critical?.has(edgeName(from, to))) {
      return "critical";
    }
    if (selected !== undefined || critical) {
      return "dim";
    }
    return running.has(to) ? "running" : "plain";
  };
  const found = new Map<LineKind, Line[]>();
  for (const line of lines) {
    const kind = kindOf(line);
    const same = found.get(kind);
    if (same) {
      same.push(line);
    } else {
      found.set(kind, [line]);
    }
  }
  return found;
}

/** Draws what is in sight of a line. Points nearer to each other than `least` are left out. */
export function traceLine(
  pen: Pen,
  line: Line,
  direction: Direction,
  sight: Sight,
  isCurved: boolean,
  least = 0,
): void {
  if (isBeside(line.left, line.top, line.right, line.bottom, sight)) {
    return;
  }
  const { points } = line;
  let x = points[0] as number;
  let y = points[1] as number;
  let isDown = false;
  for (let at = 2; at < points.length; at += 2) {
    const toX = points[at] as number;
    const toY = points[at + 1] as number;
    if (at < points.length - 2 && Math.abs(toX - x) + Math.abs(toY - y) < least) {
      continue;
    }
    if (isBeside(Math.min(x, toX), Math.min(y, toY), Math.max(x, toX), Math.max(y, toY), sight)) {
      isDown = false;
    } else {
      if (!isDown) {
        pen.moveTo(x, y);
      }
      traceStep(pen, x, y, toX, toY, direction, isCurved);
      isDown = true;
    }
    x = toX;
    y = toY;
  }
}

/** Lines leave and enter boxes in the direction of the graph. */
function traceStep(
  pen: Pen,
  x: number,
  y: number,
  toX: number,
  toY: number,
  direction: Direction,
  isCurved: boolean,
): void {
  if (!isCurved || (direction === "down" ? x === toX : y === toY)) {
    pen.lineTo(toX, toY);
  } else if (direction === "down") {
    const half = (y + toY) / 2;
    pen.bezierCurveTo(x, half, toX, half, toX, toY);
  } else {
    const half = (x + toX) / 2;
    pen.bezierCurveTo(half, y, half, toY, toX, toY);
  }
}

const HEAD = { length: 7, half: 4.5 };

/** The head of an arrow at the end of a line, where that is in sight. */
export function traceHead(pen: Pen, { points }: Line, direction: Direction, sight: Sight): void {
  const x = points.at(-2) ?? 0;
  const y = points.at(-1) ?? 0;
  if (isBeside(x - HEAD.length, y - HEAD.length, x + HEAD.length, y + HEAD.length, sight)) {
    return;
  }
  pen.moveTo(x, y);
  if (direction === "down") {
    pen.lineTo(x - HEAD.half, y - HEAD.length);
    pen.lineTo(x + HEAD.half, y - HEAD.length);
  } else {
    pen.lineTo(x - HEAD.length, y - HEAD.half);
    pen.lineTo(x - HEAD.length, y + HEAD.half);
  }
}

function isBeside(left: number, top: number, right: number, bottom: number, sight: Sight): boolean {
  return left > sight.right || right < sight.left || top > sight.bottom || bottom < sight.top;
}
