/** A run as it was at an instant. */
import type { TreeNode } from "../api/penstock";
import { isFinal, standingOf } from "./state";
import { instant as time } from "./time";

/**
 * The nodes of a run as they were: those of now in the order of now, each as `past` tells of it. What had no node then had
 * not begun, or was never to begin because the group that it is in was at its end.
 */
export function asItWas(present: readonly TreeNode[], past: readonly TreeNode[]): TreeNode[] {
  const then = new Map(past.map((node) => [node.node, node]));
  for (const node of present) {
    if (!then.has(node.node)) {
      const around = then.get(node.parent ?? -1);
      then.set(node.node, unbegun(node, around !== undefined && isFinal(standingOf(around.status))));
    }
  }
  const known = new Set(present.map((node) => node.node));
  const list = present.flatMap((node) => then.get(node.node) ?? []);
  return [...list, ...past.filter((node) => !known.has(node.node))];
}

/** What is there from the pipeline alone. */
function unbegun(node: TreeNode, isOver: boolean): TreeNode {
  const { node: number, key, name, path, task_id, kind, component } = node;
  return {
    ...{ node: number, key, name, path, task_id, kind, component },
    ...(node.parent === undefined ? {} : { parent: node.parent }),
    ...(node.depends_on && { depends_on: node.depends_on }),
    ...(node.iteration === undefined ? {} : { iteration: node.iteration }),
    ...(isOver ? { status: "SKIPPED" as const, phase: "ENDED" } : { status: "PENDING" as const, phase: "WAITING" }),
    attempts: [],
  };
}

/** The span of time that a run's tree tells of, in milliseconds; while it goes on, it has no end. */
export function spanOf(nodes: readonly TreeNode[]): { from: number; to: number | undefined } | undefined {
  let from = Number.POSITIVE_INFINITY;
  for (const node of nodes) {
    // What was retried has the times of its newest start, and its attempts those of all.
    for (const begun of [node.ready_at, node.started_at, node.attempts?.[0]?.started_at]) {
      from = Math.min(from, time(begun) ?? Number.POSITIVE_INFINITY);
    }
  }
  const root = nodes.find((node) => node.parent === undefined);
  return Number.isFinite(from) ? { from, to: time(root?.ended_at) } : undefined;
}

/** How many events there were at an instant. */
export function countUntil(moments: readonly number[], instant: number): number {
  let [low, high] = [0, moments.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((moments[middle] as number) <= instant) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/** An instant as an address has it. */
export const instantIn = (word: string | null): number | undefined => (word ? time(word) : undefined);
export const wordOf = (instant: number | undefined): string | undefined =>
  instant === undefined ? undefined : new Date(instant).toISOString();
