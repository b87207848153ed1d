/** How long graphs take to lay out: `npx vitest bench`. */
import { bench, describe } from "vitest";
import { type Inside, layOut } from "./layout";
import { box, random, randomGraph } from "./layout.samples";

/** Groups of a hundred boxes each, in a graph of their own. */
function grouped(groups: number): Inside {
  const next = random(3);
  const boxes = Array.from({ length: groups }, (_, index) => box(`g${index}`, randomGraph(100, index + 1, 5)));
  const edges = boxes.slice(1).map((_, index) => [Math.floor(next() * (index + 1)), index + 1] as const);
  return { boxes, edges, head: 0 };
}

const SAMPLES: readonly [string, Inside][] = [
  ["200 boxes", randomGraph(200, 7)],
  ["2,000 boxes", randomGraph(2_000, 7)],
  ["10,000 boxes in 100 groups", grouped(100)],
];

describe("layout", () => {
  for (const [name, inside] of SAMPLES) {
    bench(name, () => void layOut(inside), { time: 2_000, iterations: 5 });
  }
});
