/** The order of boxes and bends within their layers. */
import type { Layering } from "./layoutLayers";

const SWEEPS = 8;
/** After so many sweeps that changed nothing for the better, more do not either. */
const PATIENCE = 3;
/** Above it, layers are swept but seldom: each sweep takes a while. */
const BIG = 20_000;

/** Orders the layers so that edges cross seldom: by the means of neighbours' places, downwards and upwards in turn. */
export function fewestCrossings(layering: Layering): void {
  const place = new Float64Array(layering.layer.length);
  const means = new Float64Array(place.length);
  begin(layering, place);
  let best = layering.layers.map((layer) => [...layer]);
  let fewest = crossings(layering, place);
  let patience = PATIENCE;
  const sweeps = layering.layer.length > BIG ? SWEEPS / 2 : SWEEPS;
  for (let sweep = 0; sweep < sweeps && fewest > 0 && patience > 0; sweep++) {
    const isDown = sweep % 2 === 0;
    const order = isDown ? layering.layers : [...layering.layers].reverse();
    for (const layer of order.slice(1)) {
      sortByMeans(layer, isDown ? layering.above : layering.below, place, means);
    }
    const count = crossings(layering, place);
    patience--;
    if (count < fewest) {
      fewest = count;
      best = layering.layers.map((layer) => [...layer]);
      patience = PATIENCE;
    }
  }
  layering.layers = best;
}

/** The first order: as a walk from the first boxes comes to them, so that what belongs together stands together. */
function begin(layering: Layering, place: Float64Array): void {
  const seen = new Uint8Array(layering.layer.length);
  const filled: number[][] = layering.layers.map(() => []);
  const walkFrom = (root: number) => {
    const walk = [root];
    while (walk.length > 0) {
      const vertex = walk.pop() as number;
      if (seen[vertex]) {
        continue;
      }
      seen[vertex] = 1;
      filled[layering.layer[vertex] as number]?.push(vertex);
      const next = layering.below[vertex] as number[];
      for (let at = next.length - 1; at >= 0; at--) {
        walk.push(next[at] as number);
      }
    }
  };
  for (const layer of layering.layers) {
    for (const vertex of layer) {
      walkFrom(vertex);
    }
  }
  layering.layers = filled;
  for (const layer of filled) {
    number(layer, place);
  }
}

function number(layer: readonly number[], place: Float64Array): void {
  layer.forEach((vertex, at) => {
    place[vertex] = at;
  });
}

/** Those without neighbours there stay where they are. */
function sortByMeans(layer: number[], neighbours: readonly number[][], place: Float64Array, means: Float64Array): void {
  for (const vertex of layer) {
    const near = neighbours[vertex] as number[];
    let sum = 0;
    for (const other of near) {
      sum += place[other] as number;
    }
    means[vertex] = near.length === 0 ? (place[vertex] as number) : sum / near.length;
  }
  layer.sort((a, b) => (means[a] as number) - (means[b] as number) || (place[a] as number) - (place[b] as number));
  number(layer, place);
}

/** How often edges cross, counted by a tree of sums. */
export function crossings(layering: Layering, place: Float64Array): number {
  let total = 0;
  layering.layers.forEach((layer, index) => {
    const next = layering.layers[index + 1];
    if (!next) {
      return;
    }
    const sums = new Int32Array(next.length + 1);
    let inserted = 0;
    for (const vertex of layer) {
      const ends = layering.below[vertex] as number[];
      for (const end of ends) {
        total += inserted - sumTo(sums, place[end] as number);
      }
      inserted += ends.length;
      for (const end of ends) {
        add(sums, place[end] as number);
      }
    }
  });
  return total;
}

function add(sums: Int32Array, at: number): void {
  for (let index = at + 1; index < sums.length; index += index & -index) {
    sums[index] = (sums[index] as number) + 1;
  }
}

function sumTo(sums: Int32Array, at: number): number {
  let sum = 0;
  for (let index = at + 1; index > 0; index -= index & -index) {
    sum += sums[index] as number;
  }
  return sum;
}
