/** Coordinates of boxes and bends along their layers. */
import type { Layering } from "./layoutLayers";

/** First by what lies on one side, then by both: small graphs may come nearer to rest than big ones. */
const SWEEPS = 8;
const TO_BOTH = 5;
const TO_BOTH_SMALL = 25;
const SMALL = 1_500;
const BOX_GAP = 24;
const BEND_GAP = 14;
/** How much more a bend insists on its place than a box: long edges shall be straight. */
const BEND_WEIGHT = 6;
const FREE_WEIGHT = 0.01;

/**
 * The centres of boxes and bends: each as near to the middle of its neighbours as order and distances allow, by least
 * squares for a layer at a time, downwards and upwards in turn.
 */
export function alignLayers(layering: Layering, widths: readonly number[]): Float64Array {
  const centres = new Float64Array(layering.layer.length);
  const isBend = (vertex: number) => vertex >= layering.boxes;
  const distance = (left: number, right: number) =>
    ((widths[left] as number) + (widths[right] as number)) / 2 + (isBend(left) || isBend(right) ? BEND_GAP : BOX_GAP);
  const offsets = layering.layers.map((layer) => {
    let sum = 0;
    return layer.map((vertex, at) => {
      sum += at === 0 ? 0 : distance(layer[at - 1] as number, vertex);
      return sum;
    });
  });
  layering.layers.forEach((layer, index) => {
    const middle = (offsets[index]?.at(-1) ?? 0) / 2;
    layer.forEach((vertex, at) => {
      centres[vertex] = (offsets[index]?.[at] as number) - middle;
    });
  });
  const sweeps = SWEEPS + (centres.length < SMALL ? TO_BOTH_SMALL : TO_BOTH);
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const isDown = sweep % 2 === 0;
    const isLast = sweep >= SWEEPS;
    for (let step = 0; step < layering.layers.length; step++) {
      const index = isDown ? step : layering.layers.length - 1 - step;
      alignLayer(layering, index, offsets[index] as number[], centres, isDown, isLast);
    }
  }
  let least = Number.POSITIVE_INFINITY;
  centres.forEach((centre, vertex) => {
    least = Math.min(least, centre - (widths[vertex] as number) / 2);
  });
  return centres.map((centre) => centre - least);
}

function alignLayer(
  layering: Layering,
  index: number,
  offsets: readonly number[],
  centres: Float64Array,
  isDown: boolean,
  toBoth: boolean,
): void {
  const layer = layering.layers[index] as number[];
  const wanted = new Float64Array(layer.length);
  const weights = new Float64Array(layer.length);
  layer.forEach((vertex, at) => {
    const above = layering.above[vertex] as number[];
    const below = layering.below[vertex] as number[];
    const near = toBoth ? above.concat(below) : isDown ? above : below;
    const middle = near.length === 0 ? (centres[vertex] as number) : median(near, centres);
    wanted[at] = middle - (offsets[at] as number);
    // Each line pulls alike: else a layer that is pulled from both sides would drift for ever.
    weights[at] = near.length === 0 ? FREE_WEIGHT : near.length * (vertex >= layering.boxes ? BEND_WEIGHT : 1);
  });
  const found = nearestRising(wanted, weights);
  layer.forEach((vertex, at) => {
    centres[vertex] = (found[at] as number) + (offsets[at] as number);
  });
}

function median(of: readonly number[], centres: Float64Array): number {
  if (of.length === 1) {
    return centres[of[0] as number] as number;
  }
  if (of.length === 2) {
    return ((centres[of[0] as number] as number) + (centres[of[1] as number] as number)) / 2;
  }
  const sorted = Float64Array.from(of, (vertex) => centres[vertex] as number).sort();
  const half = sorted.length >> 1;
  const upper = sorted[half] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] as number) + upper) / 2;
}

/** The values that never fall and are nearest to the wanted ones: neighbours that would fall share their mean. */
export function nearestRising(wanted: Float64Array, weights: Float64Array): Float64Array {
  const means: number[] = [];
  const sums: number[] = [];
  const counts: number[] = [];
  for (let at = 0; at < wanted.length; at++) {
    let [mean, weight, count] = [wanted[at] as number, weights[at] as number, 1];
    while (means.length > 0 && (means.at(-1) as number) > mean) {
      const [before, heavy] = [means.pop() as number, sums.pop() as number];
      mean = (mean * weight + before * heavy) / (weight + heavy);
      weight += heavy;
      count += counts.pop() as number;
    }
    means.push(mean);
    sums.push(weight);
    counts.push(count);
  }
  const found = new Float64Array(wanted.length);
  let at = 0;
  means.forEach((mean, block) => {
    for (let step = 0; step < (counts[block] as number); step++) {
      found[at++] = mean;
    }
  });
  return found;
}
