/** A run as it was at an instant, by the times that its tree tells of. */
import type { Attempt, TreeNode } from "../api/penstock";
import { instant as time } from "./time";

/** A node as it was at an instant; as it is, where that is now. */
export function nodeAt(node: TreeNode, at: number | undefined): TreeNode {
  const ended = time(node.ended_at);
  if (at === undefined || (ended !== undefined && ended <= at)) {
    return node;
  }
  const started = time(node.started_at);
  const begun = time(node.ready_at) ?? started;
  const { failure: _, skipped: _s, cached_from: _c, ended_at: _e, retry_at: _r, counts: _n, ...rest } = node;
  if (begun === undefined || begun > at) {
    const { ready_at: _y, started_at: _a, waiting_for: _w, ...bare } = rest;
    return { ...bare, status: "PENDING", phase: "WAITING", attempts: [] };
  }
  const attempts = (node.attempts ?? []).filter((it) => startOf(it) <= at).map((it) => attemptAt(it, at));
  const past: TreeNode = { ...rest, ...doingAt(node, attempts, at), attempts };
  if (started !== undefined && started > at) {
    delete past.started_at;
  }
  return past;
}

const startOf = (attempt: Attempt) => time(attempt.started_at) ?? Number.POSITIVE_INFINITY;

function attemptAt(attempt: Attempt, at: number): Attempt {
  const ended = time(attempt.ended_at);
  if (ended !== undefined && ended <= at) {
    return attempt;
  }
  const { attempt: number, started_at, has_log, pod_name } = attempt;
  return {
    attempt: number,
    started_at,
    ...(has_log === undefined ? {} : { has_log }),
    ...(pod_name === undefined ? {} : { pod_name }),
  };
}

/** What a node that had begun and not ended did, in the API's words. */
function doingAt(
  node: TreeNode,
  attempts: readonly Attempt[],
  at: number,
): Pick<TreeNode, "status" | "phase" | "retry_at" | "failure"> {
  const last = attempts.at(-1);
  if (node.kind !== "CONTAINER" || (last && !last.ended_at)) {
    return { status: "RUNNING", phase: "RUNNING" };
  }
  const waits: Pick<TreeNode, "status" | "phase"> = { status: "PENDING", phase: "QUEUED" };
  if (!last) {
    return waits;
  }
  const failure = last.failure && { failure: last.failure };
  const retry = time(last.retry_at);
  if (last.retry_at !== undefined && retry !== undefined && retry > at) {
    return { status: "PENDING", phase: "BACKOFF", retry_at: last.retry_at, ...failure };
  }
  return { ...waits, ...failure };
}

/** The span of time that a run's tree tells of, in milliseconds; while it goes on, it has no end. */
export function spanOf(nodes: readonly TreeNode[]): { from: number; to: number | undefined } | undefined {
  let from = Number.POSITIVE_INFINITY;
  for (const node of nodes) {
    from = Math.min(from, time(node.ready_at) ?? time(node.started_at) ?? Number.POSITIVE_INFINITY);
  }
  const root = nodes.find((node) => node.parent === undefined);
  return Number.isFinite(from) ? { from, to: time(root?.ended_at) } : undefined;
}
