/** Which groups of a graph are open, as addresses keep it. */
import type { PipelineSpec } from "../api/penstock";
import { graphOf, type Item, type Opening } from "./graph";
import { aroundPath, iterationOfPath } from "./graphWords";

/** What somebody opened and closed. */
export interface Choices {
  /** What the groups are that nothing is said of: as usual, all open or all closed. */
  base: "usual" | "all" | "none";
  /** Groups that are otherwise than `base` says. */
  flipped: ReadonlySet<string>;
  /** By the path of a loop: the iteration of it that is shown. */
  iterations: ReadonlyMap<string, number | "each">;
}

const pack = (paths: Iterable<string>) => [...paths].map((path) => path.replace(/[%,]/g, encodeURIComponent)).join(",");
const unpack = (text: string | null) => (text ? text.split(",").map(decoded) : []);

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The choices that an address holds. */
export function choicesIn(query: URLSearchParams): Choices {
  const base = query.get("open");
  const iterations = unpack(query.get("iterations")).flatMap((path) => {
    const found = iterationOfPath(path);
    return found ? [[found.loop, found.index] as const] : [];
  });
  return {
    base: base === "all" || base === "none" ? base : "usual",
    flipped: new Set(unpack(query.get("flip"))),
    iterations: new Map(iterations),
  };
}

/** The address with choices in place of those that it holds. */
export function withChoices(query: URLSearchParams, choices: Choices): URLSearchParams {
  const after = new URLSearchParams(query);
  const set = (name: string, value: string) => (value === "" ? after.delete(name) : after.set(name, value));
  set("open", choices.base === "usual" ? "" : choices.base);
  set("flip", pack(choices.flipped));
  set("iterations", pack([...choices.iterations].map(([loop, index]) => `${loop}[${index === "each" ? "*" : index}]`)));
  return after;
}

/** What loops hold: iterations, of which one is shown, or before any run the body of each. */
export type Loops = "iterations" | "bodies";

// Whoever looks into an iteration wants to see what is in it.
const isInIteration = (path: string) => /\[\d+\]\//.test(path);

function isOpenAtFirst(choices: Choices, usual: ReadonlySet<string>, path: string): boolean {
  return choices.base === "all" || (choices.base === "usual" && (usual.has(path) || isInIteration(path)));
}

/** What is open by choices, and by what is selected: that is always seen. */
export function openingOf(
  choices: Choices,
  usual: ReadonlySet<string>,
  selected: string | undefined,
  loops: Loops = "iterations",
): Opening {
  const { groups, iterations } = aroundPath(selected ?? "");
  const forced = new Set(groups);
  const shown = new Map(choices.iterations);
  for (const path of iterations) {
    const found = iterationOfPath(path);
    if (found) {
      shown.set(found.loop, found.index);
    }
  }
  const isOpen = (path: string) =>
    forced.has(path) || isOpenAtFirst(choices, usual, path) !== choices.flipped.has(path);
  return {
    isOpen,
    iterationOf: (path) => {
      // Where all is open, of a loop what each of its iterations does, however many there are.
      const isEach = loops === "bodies" ? isOpen(path) : choices.base === "all" && !choices.flipped.has(path);
      return (loops === "bodies" ? undefined : shown.get(path)) ?? (isEach ? "each" : undefined);
    },
  };
}

/** Whether a path is of something in a group, or in an iteration of a loop. */
export function isWithin(path: string | undefined, group: string): boolean {
  return path !== undefined && (path.startsWith(`${group}/`) || path.startsWith(`${group}[`));
}

/** The choices after a group was opened or closed. */
export function withGroup(choices: Choices, usual: ReadonlySet<string>, path: string, open: boolean): Choices {
  const flipped = new Set(choices.flipped);
  if (isOpenAtFirst(choices, usual, path) === open) {
    flipped.delete(path);
  } else {
    flipped.add(path);
  }
  return { ...choices, flipped };
}

/** The choices after all that is around a path was opened. */
export function revealing(choices: Choices, usual: ReadonlySet<string>, path: string): Choices {
  const { groups, iterations } = aroundPath(path);
  const opened = groups.reduce((before, group) => withGroup(before, usual, group, true), choices);
  return iterations.reduce((before, each) => {
    const found = iterationOfPath(each);
    return found ? withIteration(before, found.loop, found.index) : before;
  }, opened);
}

/** The choices after an iteration of a loop was chosen, or the loop was closed. */
export function withIteration(choices: Choices, loop: string, index: number | "each" | undefined): Choices {
  const iterations = new Map(choices.iterations);
  const flipped = new Set(choices.flipped);
  if (index === undefined) {
    iterations.delete(loop);
  } else {
    iterations.set(loop, index);
  }
  if (choices.base === "all") {
    // It is open without being chosen.
    if (index === undefined) {
      flipped.add(loop);
    } else {
      flipped.delete(loop);
    }
  }
  return { ...choices, iterations, flipped };
}

/** So many boxes are taken in at a glance. */
const GLANCE = 60;

/** The groups that are open before anybody chose: from the outside inwards, as many as are taken in at a glance. */
export function usuallyOpen(spec: PipelineSpec, loops: Loops = "iterations"): Set<string> {
  const open = new Set<string>();
  const closed: Opening = {
    isOpen: (path) => open.has(path),
    iterationOf: (path) => (loops === "bodies" && open.has(path) ? "each" : undefined),
  };
  let count = graphOf(spec, undefined, closed).children.length;
  for (let depth = 0; depth < 10; depth++) {
    const { children } = graphOf(spec, undefined, closed);
    const before = open.size;
    for (const group of unopened(children, loops)) {
      const more = sizeOfGroup(spec, group);
      if (count + more <= GLANCE) {
        count += more;
        open.add(group.path);
      }
    }
    if (open.size === before) {
      break;
    }
  }
  return open;
}

function* unopened(items: readonly Item[], loops: Loops): Generator<Item> {
  for (const item of items) {
    if (item.canOpen && (item.form !== "loop" || loops === "bodies") && !item.isOpen) {
      yield item;
    }
    yield* unopened(item.children, loops);
  }
}

const sizeOfGroup = (spec: PipelineSpec, group: Item) =>
  Object.keys(spec.components?.[group.component]?.dag?.tasks ?? {}).length;
