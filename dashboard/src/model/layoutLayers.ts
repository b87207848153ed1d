/** A layered layout of one connected graph, from above to below: layers, order within them, then coordinates. */
import { alignLayers } from "./layoutAlign";
import { fewestCrossings } from "./layoutOrder";

export interface Size {
  width: number;
  height: number;
}

export interface Layered extends Size {
  /** Left and upper edges of the boxes. */
  x: number[];
  y: number[];
  routes: { edge: number; points: number[] }[];
}

/**
 * Boxes and bends in layers: bends stand for edges in the layers that they pass. Numbers below the count of boxes are
 * boxes.
 */
export interface Layering {
  boxes: number;
  /** Of boxes and bends. */
  layer: number[];
  /** Numbers of the boxes and bends in each layer, from left to right. */
  layers: number[][];
  above: number[][];
  below: number[][];
}

const LAYER_GAP = 44;
/** More bends than that are not drawn: long edges go straight then. */
const MOST_BENDS = 60_000;

/** Lays out a graph. Edges that would close a circle are left out of it, and have no route. */
export function layOutLayers(sizes: readonly Size[], edges: readonly (readonly [number, number])[]): Layered {
  const kept = withoutCircles(sizes.length, edges);
  const layer = layersOf(sizes.length, edges, kept);
  const { layering, bends } = withBends(sizes.length, edges, kept, layer);
  fewestCrossings(layering);
  const widths = layering.layer.map((_, vertex) => sizes[vertex]?.width ?? 0);
  const centres = alignLayers(layering, widths);
  const bands = bandsOf(layering, sizes);
  return {
    x: sizes.map((size, box) => Math.round((centres[box] as number) - size.width / 2)),
    y: sizes.map((_, box) => bands[layering.layer[box] as number]?.from ?? 0),
    width: Math.ceil(
      layering.layer.reduce((most, _, it) => Math.max(most, (centres[it] ?? 0) + (widths[it] ?? 0) / 2), 0),
    ),
    height: bands.at(-1)?.to ?? 0,
    routes: kept.map((edge) => ({
      edge,
      points: route(edges[edge] as readonly [number, number], bends.get(edge) ?? [], centres, layering, bands, sizes),
    })),
  };
}

interface Band {
  from: number;
  to: number;
}

function bandsOf(layering: Layering, sizes: readonly Size[]): Band[] {
  const bands: Band[] = [];
  let from = 0;
  for (const layer of layering.layers) {
    const height = layer.reduce((most, vertex) => Math.max(most, sizes[vertex]?.height ?? 0), 0);
    bands.push({ from, to: from + height });
    from += height + LAYER_GAP;
  }
  return bands;
}

/** From the middle below a box to the middle above the next, straight through every layer between them. */
function route(
  [from, to]: readonly [number, number],
  bends: readonly number[],
  centres: ArrayLike<number>,
  layering: Layering,
  bands: readonly Band[],
  sizes: readonly Size[],
): number[] {
  const band = (vertex: number) => bands[layering.layer[vertex] as number] as Band;
  const x = (vertex: number) => Math.round(centres[vertex] as number);
  const foot = band(from).from + (sizes[from]?.height ?? 0);
  const points = [x(from), foot];
  if (foot < band(from).to) {
    points.push(x(from), band(from).to);
  }
  for (const bend of bends) {
    points.push(x(bend), band(bend).from, x(bend), band(bend).to);
  }
  points.push(x(to), band(to).from);
  return points;
}

/** The edges, without repeated ones and without those that lead back to where a walk along them came from. */
function withoutCircles(count: number, edges: readonly (readonly [number, number])[]): number[] {
  const out: number[][] = Array.from({ length: count }, () => []);
  edges.forEach(([from, to], edge) => {
    if (from !== to && out[from] && out[to]) {
      out[from].push(edge);
    }
  });
  const [UNSEEN, OPEN, DONE] = [0, 1, 2];
  const state = new Uint8Array(count).fill(UNSEEN);
  const kept = new Set<number>();
  const known = new Set<number>();
  for (let root = 0; root < count; root++) {
    const walk: [number, number][] = state[root] === UNSEEN ? [[root, 0]] : [];
    while (walk.length > 0) {
      const step = walk[walk.length - 1] as [number, number];
      const [vertex, next] = step;
      state[vertex] = OPEN;
      const edge = out[vertex]?.[next];
      if (edge === undefined) {
        state[vertex] = DONE;
        walk.pop();
        continue;
      }
      step[1]++;
      const to = edges[edge]?.[1] as number;
      const name = vertex * count + to;
      if (state[to] !== OPEN && !known.has(name)) {
        known.add(name);
        kept.add(edge);
      }
      if (state[to] === UNSEEN) {
        walk.push([to, 0]);
      }
    }
  }
  return [...kept].sort((a, b) => a - b);
}

/** Each box as high as what it depends on lets it be; those that only feed others stand right above the first of them. */
function layersOf(count: number, edges: readonly (readonly [number, number])[], kept: readonly number[]): number[] {
  const below: number[][] = Array.from({ length: count }, () => []);
  const missing = new Uint32Array(count);
  for (const edge of kept) {
    const [from, to] = edges[edge] as readonly [number, number];
    below[from]?.push(to);
    missing[to] = (missing[to] as number) + 1;
  }
  const into = missing.slice();
  const order: number[] = [];
  for (let box = 0; box < count; box++) {
    if (missing[box] === 0) {
      order.push(box);
    }
  }
  const layer: number[] = Array(count).fill(0);
  for (let at = 0; at < order.length; at++) {
    const box = order[at] as number;
    for (const next of below[box] as number[]) {
      layer[next] = Math.max(layer[next] as number, (layer[box] as number) + 1);
      missing[next] = (missing[next] as number) - 1;
      if (missing[next] === 0) {
        order.push(next);
      }
    }
  }
  for (const box of order.reverse()) {
    const next = below[box] as number[];
    if (next.length > (into[box] as number)) {
      layer[box] = next.reduce((least, it) => Math.min(least, layer[it] as number), Number.POSITIVE_INFINITY) - 1;
    }
  }
  return layer;
}

function withBends(
  count: number,
  edges: readonly (readonly [number, number])[],
  kept: readonly number[],
  boxLayer: readonly number[],
): { layering: Layering; bends: Map<number, number[]> } {
  const layer = [...boxLayer];
  const above: number[][] = layer.map(() => []);
  const below: number[][] = layer.map(() => []);
  const bends = new Map<number, number[]>();
  const span = (edge: number) => {
    const [from, to] = edges[edge] as readonly [number, number];
    return (layer[to] as number) - (layer[from] as number);
  };
  let left = MOST_BENDS;
  for (const edge of [...kept].sort((a, b) => span(a) - span(b) || a - b)) {
    const [from, to] = edges[edge] as readonly [number, number];
    const needed = span(edge) - 1;
    if (needed > left) {
      continue;
    }
    left -= needed;
    const passed: number[] = [];
    let last = from;
    for (let step = 1; step <= needed; step++) {
      const bend = layer.length;
      layer.push((layer[from] as number) + step);
      above.push([last]);
      below.push([]);
      below[last]?.push(bend);
      passed.push(bend);
      last = bend;
    }
    below[last]?.push(to);
    above[to]?.push(last);
    bends.set(edge, passed);
  }
  const layers: number[][] = Array.from({ length: layer.reduce((most, it) => Math.max(most, it + 1), 0) }, () => []);
  layer.forEach((at, vertex) => {
    layers[at]?.push(vertex);
  });
  return { layering: { boxes: count, layer, layers, above, below }, bends };
}
