/**
 * Where the boxes of a graph of tasks lie and how the lines between them go. Groups hold graphs of their own, so each is
 * laid out alone and is one box to what is around it. Pure: it runs in a worker for big graphs.
 */
import { layOutLayers, type Size } from "./layoutLayers";

export interface Box {
  id: string;
  width: number;
  height: number;
  /** What it holds, where it is open: its size follows from that, and is at least its own. */
  inside?: Inside;
}

export interface Inside {
  boxes: readonly Box[];
  /** From which box to which, by their places in the list. */
  edges: readonly (readonly [number, number])[];
  /** Room for a heading above it. */
  head: number;
}

export type Direction = "down" | "right";

export interface Place {
  id: string;
  x: number;
  y: number;
  width: number;
  height: number;
  depth: number;
}

export interface Route {
  from: string;
  to: string;
  /** x and y of its points, one after the other. */
  points: number[];
}

export interface Layout {
  /** Groups come before what they hold. */
  places: Place[];
  routes: Route[];
  width: number;
  height: number;
}

const PADDING = 20;
const GAP = 28;
/** How wide packed parts may be for their height. */
const ASPECT = 1.7;
/** Few parts stand beside each other, whatever their heights: branches are compared so. */
const BESIDE = 1_100;

/** Lays out a graph and all that its open groups hold. */
export function layOut(inside: Inside, direction: Direction = "down"): Layout {
  const { width, height, places, routes } = layOutInside(inside, direction, 0);
  return { width, height, places, routes };
}

function layOutInside(inside: Inside, direction: Direction, depth: number): Layout {
  const within = inside.boxes.map((box) => box.inside && layOutInside(box.inside, direction, depth + 1));
  const sizes = inside.boxes.map((box, index) => sizeOf(box, within[index]));
  const flat = layOutFlat(sizes, inside.edges, direction);
  const places: Place[] = [];
  const routes: Route[] = [];
  inside.boxes.forEach((box, index) => {
    const { width, height } = sizes[index] as Size;
    const [x, y] = [flat.x[index] as number, flat.y[index] as number];
    places.push({ id: box.id, x, y, width, height, depth });
    const content = within[index];
    if (content && box.inside) {
      // Content that is narrower than its group stands in its middle.
      const [dx, dy] = [x + Math.round((width - content.width) / 2), y + box.inside.head];
      shift(content, dx, dy);
      places.push(...content.places);
      routes.push(...content.routes);
    }
  });
  for (const { edge, points } of flat.routes) {
    const [from, to] = inside.edges[edge] as readonly [number, number];
    routes.push({ from: inside.boxes[from]?.id ?? "", to: inside.boxes[to]?.id ?? "", points });
  }
  return { width: flat.width, height: flat.height, places, routes };
}

function sizeOf(box: Box, content: Layout | undefined): Size {
  if (!content || !box.inside) {
    return { width: box.width, height: box.height };
  }
  return {
    width: Math.max(box.width, content.width + 2 * PADDING),
    height: box.inside.head + content.height + PADDING,
  };
}

function shift(content: Layout, dx: number, dy: number): void {
  for (const place of content.places) {
    place.x += dx;
    place.y += dy;
  }
  for (const { points } of content.routes) {
    for (let at = 0; at < points.length; at += 2) {
      points[at] = (points[at] as number) + dx;
      points[at + 1] = (points[at + 1] as number) + dy;
    }
  }
}

interface Flat {
  x: number[];
  y: number[];
  width: number;
  height: number;
  routes: { edge: number; points: number[] }[];
}

/** One part of a graph that nothing joins to the rest. */
interface Part extends Size {
  members: number[];
  x: number[];
  y: number[];
  routes: { edge: number; points: number[] }[];
}

function layOutFlat(sizes: readonly Size[], edges: Inside["edges"], direction: Direction): Flat {
  const parts = partsOf(sizes.length, edges).map(({ members, edges: own }) =>
    layOutPart(sizes, members, edges, own, direction),
  );
  const flat: Flat = {
    x: Array(sizes.length).fill(0),
    y: Array(sizes.length).fill(0),
    width: 0,
    height: 0,
    routes: [],
  };
  const spots = pack(parts);
  parts.forEach((part, index) => {
    const [dx, dy] = spots[index] as [number, number];
    part.members.forEach((member, at) => {
      flat.x[member] = dx + (part.x[at] as number);
      flat.y[member] = dy + (part.y[at] as number);
    });
    for (const { edge, points } of part.routes) {
      flat.routes.push({ edge, points: points.map((value, at) => value + (at % 2 === 0 ? dx : dy)) });
    }
    flat.width = Math.max(flat.width, dx + part.width);
    flat.height = Math.max(flat.height, dy + part.height);
  });
  return flat;
}

function layOutPart(
  sizes: readonly Size[],
  members: number[],
  edges: Inside["edges"],
  own: number[],
  direction: Direction,
): Part {
  const place = new Map(members.map((member, at) => [member, at]));
  const turn = direction === "right";
  const layered = layOutLayers(
    members.map((member) => {
      const { width, height } = sizes[member] as Size;
      return turn ? { width: height, height: width } : { width, height };
    }),
    own.map((edge) => {
      const [from, to] = edges[edge] as readonly [number, number];
      return [place.get(from) ?? 0, place.get(to) ?? 0] as const;
    }),
  );
  const routes = layered.routes.map(({ edge, points }) => ({
    edge: own[edge] as number,
    points: turn ? points.map((_, at) => points[at ^ 1] as number) : points,
  }));
  return turn
    ? { members, x: layered.y, y: layered.x, width: layered.height, height: layered.width, routes }
    : { members, ...layered, routes };
}

/** The parts of a graph, each with its members and edges, in the order of their first members. */
function partsOf(count: number, edges: Inside["edges"]): { members: number[]; edges: number[] }[] {
  const leader = Array.from({ length: count }, (_, index) => index);
  const find = (index: number): number => {
    let at = index;
    while (leader[at] !== at) {
      leader[at] = leader[leader[at] as number] as number;
      at = leader[at] as number;
    }
    return at;
  };
  const isIn = ([from, to]: readonly [number, number]) =>
    from !== to && from < count && to < count && from >= 0 && to >= 0;
  for (const edge of edges) {
    if (isIn(edge)) {
      leader[find(edge[0])] = find(edge[1]);
    }
  }
  const parts = new Map<number, { members: number[]; edges: number[] }>();
  for (let index = 0; index < count; index++) {
    const root = find(index);
    const part = parts.get(root) ?? { members: [], edges: [] };
    part.members.push(index);
    parts.set(root, part);
  }
  edges.forEach((edge, index) => {
    if (isIn(edge)) {
      parts.get(find(edge[0]))?.edges.push(index);
    }
  });
  return [...parts.values()];
}

/** Puts parts in rows, the tallest first, so that all is not much wider than a screen is. */
function pack(parts: readonly Part[]): [number, number][] {
  const area = parts.reduce((sum, part) => sum + (part.width + GAP) * (part.height + GAP), 0);
  const widest = parts.reduce((most, part) => Math.max(most, part.width), 0);
  const limit = Math.max(widest, Math.sqrt(area * ASPECT), BESIDE);
  const order = parts.map((_, index) => index).sort((a, b) => heightOf(parts, b) - heightOf(parts, a) || a - b);
  const spots: [number, number][] = Array.from({ length: parts.length }, () => [0, 0]);
  let [x, y, row] = [0, 0, 0];
  for (const index of order) {
    const part = parts[index] as Part;
    if (x > 0 && x + part.width > limit) {
      [x, y, row] = [0, y + row + GAP, 0];
    }
    spots[index] = [x, y];
    x += part.width + GAP;
    row = Math.max(row, part.height);
  }
  return spots;
}

const heightOf = (parts: readonly Part[], index: number) => parts[index]?.height ?? 0;
