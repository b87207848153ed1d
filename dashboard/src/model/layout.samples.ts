/** Graphs to lay out in tests and measurements, the same every time. */
import type { Box, Inside } from "./layout";

export const box = (id: string, inside?: Inside): Box => ({ id, width: 200, height: 50, ...(inside && { inside }) });
export const graph = (count: number, edges: [number, number][], name = "n"): Inside => ({
  boxes: Array.from({ length: count }, (_, index) => box(`${name}${index}`)),
  edges,
  head: 40,
});

/** The same numbers every time. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export function randomGraph(count: number, seed: number, perLayer = 20): Inside {
  const next = random(seed);
  const edges: [number, number][] = [];
  for (let to = perLayer; to < count; to++) {
    for (let each = 0; each < 1 + Math.floor(next() * 2); each++) {
      const near = next() < 0.85 ? 2 * perLayer : to;
      edges.push([Math.max(0, to - 1 - Math.floor(next() * near)), to]);
    }
  }
  return graph(count, edges);
}
