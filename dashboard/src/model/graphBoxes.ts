/** A graph's items as boxes to lay out, and the way from box to box by keys. */
import type { Item } from "./graph";
import type { Box, Direction, Inside, Layout, Place } from "./layout";

export const TASK = { width: 240, height: 60 } as const;
export const GROUP = { width: 240, height: 84 } as const;
/** Room for headings; those of loops choose an iteration. */
const OPEN_LEAST = 280;
const LOOP_LEAST = 400;
const HEAD = 60;

export function insideOf(graph: Pick<Item, "children" | "edges">, head = 0): Inside {
  return { boxes: graph.children.map(boxOf), edges: graph.edges, head };
}

function boxOf(item: Item): Box {
  if (item.isOpen && item.children.length > 0) {
    return {
      id: item.path,
      width: item.form === "loop" ? LOOP_LEAST : OPEN_LEAST,
      height: HEAD,
      inside: insideOf(item, HEAD),
    };
  }
  return { id: item.path, ...(item.canOpen ? GROUP : TASK) };
}

export type Move = "down" | "up" | "left" | "right";

/** Finds the way from box to box by keys. */
export class Walk {
  readonly #places: ReadonlyMap<string, Place>;
  readonly #parents = new Map<string, string>();
  readonly #children = new Map<string, string[]>();
  readonly #after = new Map<string, string[]>();
  readonly #before = new Map<string, string[]>();
  readonly #direction: Direction;

  constructor(graph: Pick<Item, "children" | "edges">, layout: Layout, direction: Direction) {
    this.#direction = direction;
    this.#places = new Map(layout.places.map((place) => [place.id, place]));
    this.#enter("", graph);
  }

  #enter(parent: string, group: Pick<Item, "children" | "edges">): void {
    this.#children.set(
      parent,
      group.children.map((item) => item.path),
    );
    for (const [from, to] of group.edges) {
      const [a, b] = [group.children[from]?.path ?? "", group.children[to]?.path ?? ""];
      this.#after.set(a, [...(this.#after.get(a) ?? []), b]);
      this.#before.set(b, [...(this.#before.get(b) ?? []), a]);
    }
    for (const item of group.children) {
      this.#parents.set(item.path, parent);
      if (item.isOpen) {
        this.#enter(item.path, item);
      }
    }
  }

  get first(): string | undefined {
    return this.#topmost(this.#children.get("") ?? []);
  }

  /** Where a key leads from a box: along lines, into open groups and out of them, or to what is beside it. */
  from(path: string, key: Move): string | undefined {
    const along = this.#direction === "down" ? { next: "down", back: "up" } : { next: "right", back: "left" };
    if (key === along.next) {
      return this.#topmost(this.#children.get(path) ?? []) ?? this.#next(path);
    }
    if (key === along.back) {
      return this.#nearest(path, this.#before.get(path) ?? []) ?? (this.#parents.get(path) || undefined);
    }
    return this.#beside(path, key);
  }

  #next(path: string): string | undefined {
    let at: string | undefined = path;
    while (at) {
      const found = this.#nearest(path, this.#after.get(at) ?? []);
      if (found) {
        return found;
      }
      at = this.#parents.get(at);
    }
    return undefined;
  }

  #middle(path: string): { x: number; y: number } {
    const place = this.#places.get(path);
    return place ? { x: place.x + place.width / 2, y: place.y + place.height / 2 } : { x: 0, y: 0 };
  }

  #nearest(path: string, among: readonly string[]): string | undefined {
    const here = this.#middle(path);
    const distance = (other: string) => {
      const there = this.#middle(other);
      return Math.hypot(there.x - here.x, there.y - here.y);
    };
    return least(among, distance);
  }

  #topmost(among: readonly string[]): string | undefined {
    const rank = (path: string) => {
      const place = this.#places.get(path);
      const [main, cross] = this.#direction === "down" ? [place?.y, place?.x] : [place?.x, place?.y];
      return (main ?? 0) * 1e6 + (cross ?? 0);
    };
    return least(among, rank);
  }

  /** The nearest sibling on a side; what is level with it before what is not. */
  #beside(path: string, key: Move): string | undefined {
    const here = this.#middle(path);
    const isAcross = key === "left" || key === "right";
    const sign = key === "right" || key === "down" ? 1 : -1;
    const siblings = this.#children.get(this.#parents.get(path) ?? "") ?? [];
    const ahead = siblings.filter((other) => {
      const there = this.#middle(other);
      return sign * (isAcross ? there.x - here.x : there.y - here.y) > 1;
    });
    return least(ahead, (other) => {
      const there = this.#middle(other);
      const [main, cross] = isAcross ? [there.x - here.x, there.y - here.y] : [there.y - here.y, there.x - here.x];
      return Math.abs(main) + 3 * Math.abs(cross);
    });
  }
}

function least(among: readonly string[], rank: (path: string) => number): string | undefined {
  let found: string | undefined;
  let best = Number.POSITIVE_INFINITY;
  for (const path of among) {
    const value = rank(path);
    if (value < best) {
      [found, best] = [path, value];
    }
  }
  return found;
}
