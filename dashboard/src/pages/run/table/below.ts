import { useQueries } from "@tanstack/react-query";
import { useMemo } from "react";
import type { TreeNode } from "../../../api/penstock";
import { treeQuery } from "../../../api/runs";
import { childrenOf } from "../../../model/timeline";
import { useRunView } from "../view";

/** Iterations of a loop that are shown beside the other tasks. */
const ITERATIONS = 1000;

/** The nodes of a run, with what is below those loops and iterations that are open. */
export function useNodes(open: ReadonlySet<number>): { nodes: readonly TreeNode[]; isPending: boolean } {
  const { runId, tree, byNumber } = useRunView();
  const asked = useMemo(
    () =>
      [...open]
        .map((number) => ({ number, kind: byNumber.get(number)?.kind }))
        // What is below a group that is in the tree is there as well.
        .filter(({ kind }) => kind !== "DAG")
        .map(({ number, kind }) => queryOf(runId, number, kind)),
    [open, runId, byNumber],
  );
  return useQueries({
    queries: asked,
    combine: (results) => {
      const isPending = results.some((it) => it.isPending);
      const found = results.flatMap((it) => it.data?.nodes ?? []);
      return { nodes: found.length === 0 ? tree.nodes : merged(tree.nodes, found), isPending };
    },
  });
}

const queryOf = (runId: string, node: number, kind: TreeNode["kind"] | undefined) =>
  // A loop that is in a loop is not in the tree; the server gives its first iterations when it is not told which.
  kind === "LOOP" ? treeQuery(runId, { node, from: 0, limit: ITERATIONS }) : treeQuery(runId, { node });

/** All of them, each behind what it is in. */
function merged(nodes: readonly TreeNode[], more: readonly TreeNode[]): TreeNode[] {
  const all = new Map(nodes.map((node) => [node.node, node]));
  for (const node of more) {
    if (!all.has(node.node)) {
      all.set(node.node, node);
    }
  }
  const list = [...all.values()];
  const below = childrenOf(list);
  const withBelow = (node: TreeNode): TreeNode[] => [node, ...(below.get(node.node) ?? []).flatMap(withBelow)];
  return list.filter((node) => node.parent === undefined || !all.has(node.parent)).flatMap(withBelow);
}
