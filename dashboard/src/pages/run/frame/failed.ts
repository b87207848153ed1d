import { queryOptions, skipToken, useQuery } from "@tanstack/react-query";
import { ask } from "../../../api/http";
import type { Tree, TreeNode } from "../../../api/penstock";
import { instant } from "../../../model/time";
import { asLooked, useRunView } from "../view";

/** Of some nodes the one that failed first by its own doing: what somebody wants to look at who asks why a run failed. */
export function firstFailed(nodes: readonly TreeNode[]): TreeNode | undefined {
  const failed = nodes.filter((node) => node.status === "FAILED" && !["ROOT", "DAG"].includes(node.kind));
  const ended = (node: TreeNode) => instant(node.ended_at) ?? Number.POSITIVE_INFINITY;
  return failed.reduce<TreeNode | undefined>(
    (first, node) => (first === undefined || ended(node) < ended(first) ? node : first),
    undefined,
  );
}

/** Loops in loops, and iterations of one that are compared. */
const DEEPEST = 20;
const ITERATIONS = 100;

/** The task in a loop, an iteration or a group that failed first. A run's tree has nothing below its loops: it is asked for. */
export async function failedWithin(
  node: TreeNode,
  below: (asked: { node: number; limit?: number; status?: string }) => Promise<readonly TreeNode[]>,
): Promise<TreeNode> {
  let at = node;
  for (let depth = 0; depth < DEEPEST && !isTask(at); depth += 1) {
    const { node: number, kind } = at;
    const nodes = await below({ node: number, ...(kind === "LOOP" ? { limit: ITERATIONS, status: "FAILED" } : {}) });
    const first = firstFailed(nodes.filter((it) => it.node !== number));
    if (!first) {
      break;
    }
    at = first;
  }
  return at;
}

export const isTask = ({ kind }: TreeNode) => kind === "CONTAINER" || kind === "IMPORTER";

export function failedQuery(runId: string, node: TreeNode | undefined, past: { at?: number }) {
  const path = `apis/penstock/v1/runs/${encodeURIComponent(runId)}/tree`;
  const find = (within: TreeNode, signal: AbortSignal) =>
    failedWithin(within, async (asked) => (await ask<Tree>(path, { query: { ...asked, ...past }, signal })).nodes);
  return queryOptions({
    // What is undefined is left out of a key: this would be the key of the run's tree, and read in its place.
    queryKey: ["tree", runId, { failedWithin: node?.node ?? null, ...past }],
    queryFn: node ? ({ signal }) => find(node, signal) : skipToken,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** The task of a run that failed first, wherever it is. */
export function useFailedTask(runId: string, nodes: readonly TreeNode[]): TreeNode | undefined {
  const first = firstFailed(nodes);
  const within = useQuery(failedQuery(runId, first && !isTask(first) ? first : undefined, {}));
  return first && !isTask(first) ? within.data : first;
}

/** The task that failed first in what is looked at, where that is a group that failed. */
export function useFailedWithin(node: TreeNode): TreeNode | undefined {
  const { runId, past } = useRunView();
  const isBlamed = node.status === "FAILED" && !isTask(node);
  const within = useQuery(failedQuery(runId, isBlamed ? node : undefined, asLooked(past)));
  return isBlamed && within.data?.node !== node.node ? within.data : undefined;
}
