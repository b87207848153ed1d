import { keepPreviousData, useQueries } from "@tanstack/react-query";
import { useMemo } from "react";
import type { TaskStatus, TreeNode } from "../../../api/penstock";
import { type Below, belowQuery, holds, treeQuery } from "../../../api/runs";
import { childrenOf } from "../../../model/timeline";
import { asLooked, useRunView } from "../view";

/** Iterations of a loop that are shown beside the other tasks. */
const ITERATIONS = 1000;

const NONE: TreeNode[] = [];

/** What is below those loops and iterations that are open. */
function useOpenNodes(open: ReadonlySet<number>): readonly TreeNode[] {
  const { runId, byNumber, past } = useRunView();
  const asked = useMemo(
    () =>
      [...open]
        .map((number) => ({ number, kind: byNumber.get(number)?.kind }))
        // What is below a group that is in the tree is there as well.
        .filter(({ kind }) => kind !== "DAG")
        .map(({ number, kind }) => ({
          ...treeQuery(runId, {
            node: number,
            // A loop that is in a loop is not in the tree; the server gives its first iterations when it is not told which.
            ...(kind === "LOOP" ? { from: 0, limit: ITERATIONS } : {}),
            ...asLooked(past),
          }),
          ...(past === undefined ? {} : { placeholderData: keepPreviousData }),
        })),
    [open, runId, byNumber, past],
  );
  return useQueries({
    queries: asked,
    combine: (results) => {
      const found = results.flatMap((it) => it.data?.nodes ?? []);
      return found.length === 0 ? NONE : found;
    },
  });
}

/** The nodes of a run, with what is below those loops and iterations that are open. */
export function useNodes(open: ReadonlySet<number>): readonly TreeNode[] {
  const { tree } = useRunView();
  const opened = useOpenNodes(open);
  return useMemo(() => merged(tree.nodes, opened), [tree.nodes, opened]);
}

const NOTHING: Below = { nodes: NONE, hasMore: false };

/** The nodes of a run, with what is in those iterations of its loops that stand in one of some ways, or in any. */
export function useNodesWithin(
  open: ReadonlySet<number>,
  statuses: readonly TaskStatus[],
): { nodes: readonly TreeNode[]; hasMore: boolean; isPending: boolean } {
  const { runId, tree, past } = useRunView();
  const opened = useOpenNodes(open);
  const loops = useMemo(
    () => tree.nodes.filter((node) => node.kind === "LOOP" && holds(node, statuses)),
    [tree, statuses],
  );
  const within = useQueries({
    queries: loops.map((loop) => belowQuery(runId, loop.node, statuses, asLooked(past))),
    combine: (results) => ({
      ...(results.length === 0
        ? NOTHING
        : {
            nodes: results.flatMap((it) => it.data?.nodes ?? []),
            hasMore: results.some((it) => it.data?.hasMore),
          }),
      isPending: results.some((it) => it.isPending),
    }),
  });
  const nodes = useMemo(() => merged(tree.nodes, [...opened, ...within.nodes]), [tree.nodes, opened, within.nodes]);
  return { nodes, hasMore: within.hasMore, isPending: within.isPending };
}

/** All of them, each behind what it is in. */
export function merged(nodes: readonly TreeNode[], more: readonly TreeNode[]): readonly TreeNode[] {
  if (more.length === 0) {
    return nodes;
  }
  const all = new Map(nodes.map((node) => [node.node, node]));
  for (const node of more) {
    if (!all.has(node.node)) {
      all.set(node.node, node);
    }
  }
  const list = [...all.values()];
  const below = childrenOf(list);
  const byIteration = (a: TreeNode, b: TreeNode) => (a.iteration ?? 0) - (b.iteration ?? 0);
  const withBelow = (node: TreeNode): TreeNode[] => {
    const within = below.get(node.node) ?? [];
    // Pages of iterations may come in any order.
    return [node, ...(node.kind === "LOOP" ? within.sort(byIteration) : within).flatMap(withBelow)];
  };
  return list.filter((node) => node.parent === undefined || !all.has(node.parent)).flatMap(withBelow);
}
