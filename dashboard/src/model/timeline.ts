/** A run along time: what each task did when, and what decided how long the run took. */
import type { Attempt, TreeNode } from "../api/penstock";
import { instant } from "./time";

export const PHASES = [
  "waiting",
  "queued",
  "backoff",
  "over",
  "scheduling",
  "setup",
  "inputs",
  "running",
  "outputs",
  "group",
] as const;

export type Phase = (typeof PHASES)[number];

export const PHASE_WORDS: Record<Phase, string> = {
  waiting: "Waiting for other tasks",
  queued: "Queued",
  backoff: "Pause before a retry",
  over: "Ended, until the run was retried",
  scheduling: "Waiting for a node",
  setup: "Image or environment",
  inputs: "Fetching inputs",
  running: "Running",
  outputs: "Storing outputs",
  group: "Tasks within",
};

export interface Segment {
  phase: Phase;
  from: number;
  to: number;
  attempt?: number;
  /** The attempt that it is part of failed. */
  failed?: true;
}

/** What a node did until an instant; `begun` is when the group that it is in started. */
export function segmentsOf(node: TreeNode, begun: number | undefined, until: number): Segment[] {
  const ready = instant(node.ready_at) ?? instant(node.started_at);
  // Of a task that was retried `ready` is that of its newest start.
  const begins = earliest(ready, instant(node.attempts?.[0]?.started_at));
  const ended = Math.min(instant(node.ended_at) ?? until, until);
  const out: Segment[] = [];
  const add = (segment: Segment) => {
    if (segment.to > segment.from) {
      out.push(segment);
    }
  };
  if (begun !== undefined && node.kind !== "ROOT") {
    add({ phase: "waiting", from: begun, to: Math.min(begins ?? ended, until) });
  }
  if (ready === undefined || begins === undefined || begins > until) {
    return out;
  }
  if (node.kind !== "CONTAINER" && node.kind !== "IMPORTER") {
    add({ phase: "group", from: begins, to: ended });
    return out;
  }
  const between = (from: number, to: number, before: Attempt | undefined) => {
    for (const segment of idle(from, to, before, ready)) {
      add(segment);
    }
  };
  let cursor = begins;
  let before: Attempt | undefined;
  for (const attempt of node.attempts ?? []) {
    const started = instant(attempt.started_at) ?? cursor;
    if (started > until) {
      break;
    }
    between(cursor, started, before);
    const inside = ofAttempt(attempt, started, until);
    for (const segment of inside) {
      add(segment);
    }
    cursor = inside.at(-1)?.to ?? started;
    before = attempt;
  }
  if (node.kind === "IMPORTER") {
    add({ phase: "running", from: cursor, to: ended });
  } else {
    between(cursor, ended, before);
  }
  return out;
}

const earliest = (a: number | undefined, b: number | undefined) =>
  a !== undefined && b !== undefined ? Math.min(a, b) : (a ?? b);

/**
 * What there was between two attempts, or before the first: a pause, and a wait for room. An attempt that no other was to
 * follow was the end, until the run was retried and the task was ready again.
 */
function* idle(from: number, to: number, before: Attempt | undefined, ready: number): Generator<Segment> {
  const retry = instant(before?.retry_at);
  const isEnd = before !== undefined && retry === undefined && ready > from;
  const resumed = Math.min(Math.max(isEnd ? ready : (retry ?? from), from), to);
  yield { phase: isEnd ? "over" : "backoff", from, to: resumed };
  yield { phase: "queued", from: resumed, to };
}

/** The steps of an attempt, of which more or less is known. Clocks differ: no step ends before it began. */
function ofAttempt(attempt: Attempt, started: number, until: number): Segment[] {
  const end = Math.min(instant(attempt.ended_at) ?? until, until);
  const at = (text: string | undefined) => instant(text);
  const { timings = {} } = attempt;
  const isPod = timings.scheduled_at !== undefined || timings.created_at !== undefined;
  const hasSteps = at(timings.started_at) !== undefined || at(timings.inputs_at) !== undefined || isPod;
  const begins: [number | undefined, Phase][] = hasSteps
    ? [
        [started, isPod ? "scheduling" : "setup"],
        [at(timings.scheduled_at), "setup"],
        [at(timings.inputs_at), "inputs"],
        // The image of the user's container may take longer than the inputs.
        [at(timings.ready_at), "setup"],
        [at(timings.started_at), "running"],
        [at(timings.ended_at), "outputs"],
      ]
    : [[started, "running"]];
  const known = begins.filter((begin): begin is [number, Phase] => begin[0] !== undefined);
  const out: Segment[] = [];
  let cursor = started;
  for (const [place, [, phase]] of known.entries()) {
    const next = known[place + 1]?.[0] ?? end;
    const to = Math.min(Math.max(next, cursor), end);
    const failed = attempt.outcome === "FAILED" ? { failed: true as const } : {};
    out.push({ phase, from: cursor, to, attempt: attempt.attempt, ...failed });
    cursor = to;
  }
  return out;
}

export interface TimelineRow {
  node: TreeNode;
  depth: number;
  /** Whether there are, or may be, nodes below it. */
  isGroup: boolean;
  isOpen: boolean;
}

/** The nodes below the root in the order of the tree, without what is below closed groups. */
export function rowsOf(nodes: readonly TreeNode[], isOpen: (node: TreeNode) => boolean): TimelineRow[] {
  const below = childrenOf(nodes);
  const rows: TimelineRow[] = [];
  const visit = (node: TreeNode, depth: number) => {
    const isGroup = node.kind !== "CONTAINER" && node.kind !== "IMPORTER";
    const open = isGroup && isOpen(node);
    rows.push({ node, depth, isGroup, isOpen: open });
    if (open) {
      for (const child of below.get(node.node) ?? []) {
        visit(child, depth + 1);
      }
    }
  };
  for (const root of nodes.filter((node) => node.kind === "ROOT")) {
    for (const child of below.get(root.node) ?? []) {
      visit(child, 0);
    }
  }
  return rows;
}

export function childrenOf(nodes: readonly TreeNode[]): Map<number, TreeNode[]> {
  const below = new Map<number, TreeNode[]>();
  for (const node of nodes) {
    if (node.parent !== undefined) {
      const siblings = below.get(node.parent);
      if (siblings) {
        siblings.push(node);
      } else {
        below.set(node.parent, [node]);
      }
    }
  }
  return below;
}

/** The nodes that decided when the run ended: from the last to end back to what each had to wait for. */
export function criticalPath(nodes: readonly TreeNode[], now: number): Set<number> {
  const below = childrenOf(nodes);
  const byNumber = new Map(nodes.map((node) => [node.node, node]));
  const found = new Set<number>();
  const end = (node: TreeNode) =>
    instant(node.started_at) === undefined ? (instant(node.ended_at) ?? -1) : (instant(node.ended_at) ?? now);
  const last = (among: readonly TreeNode[]) =>
    among.reduce<TreeNode | undefined>((best, node) => (end(node) > (best ? end(best) : 0) ? node : best), undefined);
  const follow = (group: TreeNode) => {
    let node = last(below.get(group.node) ?? []);
    while (node && !found.has(node.node)) {
      found.add(node.node);
      follow(node);
      const on: TreeNode[] = (node.depends_on ?? []).flatMap((it) => byNumber.get(it) ?? []);
      node = last(on);
    }
  };
  for (const root of nodes.filter((node) => node.kind === "ROOT")) {
    follow(root);
  }
  return found;
}

/** A part of time, in milliseconds. */
export interface Window {
  from: number;
  to: number;
}

const SHORTEST_MS = 10;

/** A window that shows less of a span (`factor` below 1) or more, around an instant that stays where it is. */
export function zoomed(window: Window, span: Window, factor: number, around: number): Window {
  const length = Math.min(span.to - span.from, Math.max(SHORTEST_MS, (window.to - window.from) * factor));
  const share = (around - window.from) / Math.max(1, window.to - window.from);
  return within({ from: around - share * length, to: around + (1 - share) * length }, span);
}

export function moved(window: Window, span: Window, by: number): Window {
  return within({ from: window.from + by, to: window.to + by }, span);
}

function within(window: Window, span: Window): Window {
  const length = Math.min(window.to - window.from, span.to - span.from);
  const from = Math.min(Math.max(window.from, span.from), span.to - length);
  return { from, to: from + length };
}

const STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((count) => count * 1_000),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * 60_000),
  ...[1, 2, 3, 6, 12].map((count) => count * 3_600_000),
  ...[1, 2, 5, 10, 20, 50, 100].map((count) => count * 86_400_000),
];

/** The round step between lines of an axis that has room for so many. */
export function stepOf(window: Window, room: number): number {
  const length = window.to - window.from;
  return STEPS.find((it) => length / it <= Math.max(1, room)) ?? length;
}

/** Where lines of an axis go, counted from an instant. */
export function ticks(window: Window, zero: number, step: number): number[] {
  if (!(step > 0)) {
    return [];
  }
  const out: number[] = [];
  for (let at = zero + Math.ceil((window.from - zero) / step) * step; at <= window.to; at += step) {
    out.push(at);
  }
  return out;
}

const UNITS: readonly [number, string][] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
];

/** The time since the beginning of an axis, as exact as the step between its lines: no two of them say the same. */
export function tickWords(after: number, step: number): string {
  const words: string[] = [];
  let rest = Math.max(0, after);
  for (const [size, unit] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) {
      words.push(`${count} ${unit}`);
    }
  }
  const digits = step >= 1_000 ? 0 : step >= 100 ? 1 : step >= 10 ? 2 : 3;
  const seconds = (rest / 1_000).toFixed(digits);
  if (Number(seconds) > 0) {
    words.push(`${seconds} s`);
  }
  return words.join(" ") || "0";
}
