import { keepPreviousData, useQueries } from "@tanstack/react-query";
import { useLayoutEffect } from "react";
import { ask } from "../../../api/http";
import type { TaskDetail, Tree, TreeNode } from "../../../api/penstock";

/** By run and path: numbers of iterations. They change only when a run is retried, and then they are asked for again. */
const numbers = new Map<string, number>();
const MOST_NUMBERS = 1_000;

async function treeOf(runId: string, path: string, at: number | undefined, signal: AbortSignal): Promise<Tree> {
  const own = `apis/penstock/v1/runs/${encodeURIComponent(runId)}`;
  const name = `${runId} ${path}`;
  const below = (node: number) => ask<Tree>(`${own}/tree`, { query: { node, at }, signal });
  const known = numbers.get(name);
  const tree = known === undefined ? undefined : await below(known).catch(() => undefined);
  if (tree?.nodes[0]?.path === path) {
    return tree;
  }
  const { node } = await ask<TaskDetail>(`${own}/tasks/${encodeURIComponent(path)}`, { signal });
  if (numbers.size >= MOST_NUMBERS) {
    numbers.clear();
  }
  numbers.set(name, node);
  return below(node);
}

const NONE: readonly TreeNode[] = [];

/** Tells the nodes of iterations and of what is below them, as far as they have begun; as they were after an event of a number. */
export default function InIterations({
  runId,
  paths,
  at,
  onNodes,
}: {
  runId: string;
  paths: readonly string[];
  at: number | undefined;
  onNodes: (nodes: readonly TreeNode[]) => void;
}) {
  const nodes = useIterations(runId, paths, at);
  // Before anything is painted: what is known of an iteration is there when its boxes are.
  useLayoutEffect(() => onNodes(nodes), [nodes, onNodes]);
  useLayoutEffect(() => () => onNodes(NONE), [onNodes]);
  return null;
}

function useIterations(runId: string, paths: readonly string[], at: number | undefined): readonly TreeNode[] {
  return useQueries({
    queries: paths.map((path) => ({
      queryKey: ["tree", runId, { iteration: path, ...(at === undefined ? {} : { at }) }],
      queryFn: ({ signal }: { signal: AbortSignal }) => treeOf(runId, path, at, signal),
      staleTime: Number.POSITIVE_INFINITY,
      // One that has not begun has no node, and the run's stream says when it has.
      retry: false,
      // Another moment of the past is not another place.
      ...(at === undefined ? {} : { placeholderData: keepPreviousData }),
    })),
    combine,
  });
}

function combine(results: readonly { data: Tree | undefined }[]): readonly TreeNode[] {
  const nodes = results.flatMap((result) => result.data?.nodes ?? []);
  return nodes.length === 0 ? NONE : nodes;
}
