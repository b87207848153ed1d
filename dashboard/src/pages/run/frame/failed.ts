import { useQuery } from "@tanstack/react-query";
import type { TreeNode } from "../../../api/penstock";
import { treeQuery } from "../../../api/runs";
import { instant } from "../../../model/time";

/** The task that failed first by its own doing: what somebody wants to look at who asks why a run failed. */
export function firstFailed(nodes: readonly TreeNode[]): TreeNode | undefined {
  const failed = nodes.filter((node) => node.status === "FAILED" && !["ROOT", "DAG"].includes(node.kind));
  const ended = (node: TreeNode) => instant(node.ended_at) ?? Number.POSITIVE_INFINITY;
  return failed.reduce<TreeNode | undefined>(
    (first, node) => (first === undefined || ended(node) < ended(first) ? node : first),
    undefined,
  );
}

export function useFailedTask(runId: string): TreeNode | undefined {
  return useQuery({ ...treeQuery(runId), select: (tree) => firstFailed(tree.nodes) }).data;
}
