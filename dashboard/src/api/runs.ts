import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { filterText, type Predicate } from "./filter";
import { ask } from "./http";
import type { FoundRuns, Json, Run, RunPage, StorageState } from "./kfp";
import type { RunRecord, Spec, TaskDetail, TaskStatus, Tree, TreeNode } from "./penstock";

export interface RunsAsked {
  namespace: string;
  experimentId?: string | undefined;
  predicates?: readonly Predicate[];
  storage?: StorageState;
  /** As `sort_by` has it: `created_at desc`. */
  sort?: string;
  pageSize?: number;
}

function asList(asked: RunsAsked) {
  const {
    namespace,
    experimentId,
    predicates = [],
    storage = "AVAILABLE",
    sort = "created_at desc",
    pageSize = 50,
  } = asked;
  const stored: Predicate = { key: "storage_state", operation: "EQUALS", string_value: storage };
  return {
    namespace,
    experiment_id: experimentId,
    sort_by: sort,
    page_size: pageSize,
    filter: filterText([...predicates, stored]),
  };
}

/** Runs by values and tags too, with their values, page after page. */
export function runSearchQuery(asked: RunsAsked) {
  const query = asList(asked);
  return infiniteQueryOptions({
    queryKey: ["runs", "search", query],
    queryFn: ({ pageParam, signal }) =>
      ask<FoundRuns>("apis/penstock/v1/runs:search", { query: { ...query, page_token: pageParam }, signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token || undefined,
  });
}

/** A list of runs, page after page. */
export function runsQuery(asked: RunsAsked) {
  const query = asList(asked);
  return infiniteQueryOptions({
    queryKey: ["runs", query],
    queryFn: ({ pageParam, signal }) =>
      ask<RunPage>("apis/v2beta1/runs", { query: { ...query, page_token: pageParam }, signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token || undefined,
  });
}

const path = (id: string) => `apis/v2beta1/runs/${encodeURIComponent(id)}`;
const own = (id: string) => `apis/penstock/v1/runs/${encodeURIComponent(id)}`;

export function runQuery(id: string) {
  return queryOptions({ queryKey: ["run", id], queryFn: ({ signal }) => ask<Run>(path(id), { signal }) });
}

/** A run with its settings and what there is to know of it. */
export function runRecordQuery(id: string) {
  return queryOptions({
    queryKey: ["run", id, "record"],
    queryFn: ({ signal }) => ask<RunRecord>(own(id), { signal }),
  });
}

/** The pipeline of a run; it never changes. */
export function specQuery(id: string) {
  return queryOptions({
    queryKey: ["spec", id],
    queryFn: ({ signal }) => ask<Spec>(`${own(id)}/spec`, { signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export interface TreeAsked {
  /** A loop, for a page of its iterations; an iteration or a DAG, for what is below it. */
  node?: number;
  from?: number;
  limit?: number;
  status?: string;
  /** As it was after the fact of a number. */
  at?: number;
}

/** The tasks of a run, but what is below loops. Its key begins with `tree`: the run's own stream says when it is old. */
export function treeQuery(id: string, asked: TreeAsked = {}) {
  return queryOptions({
    queryKey: ["tree", id, asked],
    queryFn: ({ signal }) => ask<Tree>(`${own(id)}/tree`, { query: { ...asked }, signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** Iterations of one loop, and of those in them, that are looked into without being opened. */
const MOST_ITERATIONS = 30;
const AT_A_TIME = 6;

export interface Below {
  nodes: TreeNode[];
  /** There are more iterations than were looked into. */
  hasMore: boolean;
}

/** What is in the iterations of a loop that stand in one of some ways, or in any. */
export function belowQuery(id: string, loop: number, statuses: readonly TaskStatus[], past: { at?: number } = {}) {
  return queryOptions({
    queryKey: ["tree", id, { below: loop, statuses, ...past }],
    queryFn: ({ signal }) => readBelow(id, loop, statuses, past, MOST_ITERATIONS, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

async function readBelow(
  id: string,
  loop: number,
  statuses: readonly TaskStatus[],
  past: { at?: number },
  most: number,
  signal: AbortSignal,
): Promise<Below> {
  const tree = (asked: TreeAsked) => ask<Tree>(`${own(id)}/tree`, { query: { ...asked, ...past }, signal });
  const nodes: TreeNode[] = [];
  let hasMore = false;
  for (const status of statuses.length === 0 ? [undefined] : statuses) {
    const limit = most - nodes.length;
    if (limit <= 0) {
      return { nodes, hasMore: true };
    }
    const page = await tree({ node: loop, limit, ...(status && { status }) });
    nodes.push(...page.nodes);
    hasMore ||= page.next_from !== undefined;
  }
  const iterations = nodes.filter((node) => node.kind === "ITERATION");
  let left = most - nodes.length;
  for (let first = 0; first < iterations.length; first += AT_A_TIME) {
    const some = await Promise.all(iterations.slice(first, first + AT_A_TIME).map(({ node }) => tree({ node })));
    nodes.push(...some.flatMap((it) => it.nodes.slice(1)));
  }
  for (const inner of nodes.filter((node) => node.kind === "LOOP" && holds(node, statuses))) {
    const below = left > 0 ? await readBelow(id, inner.node, statuses, past, left, signal) : undefined;
    nodes.push(...(below?.nodes ?? []));
    hasMore ||= below?.hasMore ?? true;
    left -= below?.nodes.length ?? 0;
  }
  return { nodes, hasMore };
}

/** Whether a loop has iterations that stand in one of some ways, or any. */
export const holds = ({ counts = {} }: TreeNode, statuses: readonly TaskStatus[]) =>
  Object.entries(counts).some(
    ([status, count]) => count > 0 && (statuses.length === 0 || statuses.includes(status as TaskStatus)),
  );

export function taskQuery(id: string, taskId: string) {
  return queryOptions({
    queryKey: ["tree", id, "task", taskId],
    queryFn: ({ signal }) => ask<TaskDetail>(`${own(id)}/tasks/${encodeURIComponent(taskId)}`, { signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export interface NewRun {
  display_name: string;
  description?: string;
  experiment_id?: string;
  pipeline_version_reference?: { pipeline_id: string; pipeline_version_id?: string };
  pipeline_spec?: Json;
  runtime_config?: { parameters?: Record<string, Json>; pipeline_root?: string };
  service_account?: string;
  plugins_input?: Record<string, Json>;
}

export const createRun = (run: NewRun) => ask<Run>("apis/v2beta1/runs", { method: "POST", body: run });
export const terminateRun = (id: string) => ask(`${path(id)}:terminate`, { method: "POST" });
export const retryRun = (id: string) => ask(`${path(id)}:retry`, { method: "POST" });
export const archiveRun = (id: string) => ask(`${path(id)}:archive`, { method: "POST" });
export const unarchiveRun = (id: string) => ask(`${path(id)}:unarchive`, { method: "POST" });
export const deleteRun = (id: string) => ask(path(id), { method: "DELETE" });

/** Lets a run that has ended go on from a task: it and all that depends on it run again. */
export const retryFrom = (id: string, taskId: string) =>
  ask(`${own(id)}/tasks/${encodeURIComponent(taskId)}:retry`, { method: "POST" });
