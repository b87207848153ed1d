/** Why a task stands as it does, in words, and what can be done about it. */
import type { Failure, TaskKind, TreeNode } from "../../../api/penstock";

export interface Why {
  kind: "error" | "warning" | "info";
  title: string;
  /** What the server says, as it says it. */
  message?: string;
  /** A condition that was not met. */
  condition?: string;
  remedy?: string;
  /** The tasks that it is about. */
  tasks?: TreeNode[];
  /** Another run's task. */
  source?: { run_id: string; task_path: string };
  /** When it is tried again. */
  retryAt?: string;
}

export const KIND_WORDS: Record<TaskKind, string> = {
  ROOT: "Pipeline",
  DAG: "Group",
  LOOP: "Loop",
  ITERATION: "Iteration",
  CONTAINER: "Task",
  IMPORTER: "Importer",
};

interface Cause {
  title: string;
  remedy: string;
}

const CAUSES: Record<string, Cause> = {
  USER: {
    title: "The task's own program failed",
    remedy:
      "The end of its log says why. If the reason lies outside, such as a service that was away, retry from here. If it lies in the code or the parameters, mend them and start a new run.",
  },
  TIMEOUT: {
    title: "The attempt took longer than it was allowed to",
    remedy: "Look in the log where the time went. If the task needs longer, set a longer timeout in the pipeline.",
  },
  OUTPUT: {
    title: "An output is missing, or is not of its type",
    remedy:
      "The component must write each output to the place that it is given, as the type that it declares. Mend the component and start a new run.",
  },
  INPUT: {
    title: "An input could not be had",
    remedy: "Check that what the earlier task stored is still there and that tasks may read it, then retry from here.",
  },
  REFUSED: {
    title: "The attempt could not be carried out here",
    remedy:
      "The message says what is not supported or missing here. Change the task's image or settings, or run it elsewhere.",
  },
  INFRASTRUCTURE: {
    title: "The storage or the machine failed, not the task",
    remedy: "Retry from here. If it fails again, the System page and the events of the Pod say what is wrong.",
  },
  INTERRUPTED: {
    title: "Penstock went away while the attempt ran",
    remedy: "Nothing is to be done: another attempt follows by itself.",
  },
  CANCELED: {
    title: "It was stopped on request",
    remedy: "Retry the run, or from here, to let it go on.",
  },
  UPSTREAM: {
    title: "Something that it needs failed",
    remedy: "Find the task that failed first; what it says is the reason.",
  },
};

/** What a cause of failure means. A cause of a later version is told as it is called. */
export function causeOf(failure: Failure): Cause {
  return CAUSES[failure.cause] ?? { title: `It failed (${failure.cause})`, remedy: "The log may say more." };
}

/** Why a node stands as it does; nothing where there is nothing to explain. */
export function whyOf(node: TreeNode, nodes: readonly TreeNode[]): Why | undefined {
  switch (node.status) {
    case "FAILED":
      return failed(node, nodes);
    case "SKIPPED":
      return node.skipped && skipped(node.skipped, nodes);
    case "CANCELED":
      return {
        kind: "warning",
        title: node.started_at ? "It was stopped before it had ended" : "The run was stopped before it began",
        ...(node.failure ? { message: node.failure.message } : {}),
        remedy: "Retry the run to let it go on.",
      };
    case "PENDING":
    case "RUNNING":
      return waiting(node, nodes);
    default:
      return (
        node.cached_from && { kind: "info", title: "Its result was taken from the cache", source: node.cached_from }
      );
  }
}

function failed(node: TreeNode, nodes: readonly TreeNode[]): Why {
  // Of a group the tasks in it are to blame, and say more.
  const below = nodes.filter((it) => it.parent === node.node && it.status === "FAILED");
  const tasks = below.length > 0 ? { tasks: below } : {};
  if (!node.failure) {
    return { kind: "error", title: below.length > 0 ? "Tasks in it failed" : "It failed", ...tasks };
  }
  const { title, remedy } = causeOf(node.failure);
  if (below.length > 0 || node.failure.cause === "UPSTREAM") {
    const upstream = below.length > 0 ? below : blamed(node, nodes);
    const about = upstream.length > 0 ? { tasks: upstream } : {};
    return {
      kind: "error",
      title: below.length > 0 ? "Tasks in it failed" : title,
      message: node.failure.message,
      ...about,
    };
  }
  return { kind: "error", title, message: node.failure.message, remedy };
}

/** The dependencies that failed. */
function blamed(node: TreeNode, nodes: readonly TreeNode[]): TreeNode[] {
  const on = new Set(node.depends_on);
  return nodes.filter((it) => on.has(it.node) && it.status === "FAILED");
}

function skipped(because: NonNullable<TreeNode["skipped"]>, nodes: readonly TreeNode[]): Why {
  const named = nodes.filter((it) => it.path === because.task || it.key === because.task || it.name === because.task);
  const tasks = named.length > 0 ? { tasks: named.slice(0, 1) } : {};
  switch (because.reason) {
    case "CONDITION":
      return { kind: "info", title: "Its condition was not met", condition: because.condition ?? "" };
    case "UPSTREAM_FAILED":
      return { kind: "info", title: `It needs ${because.task ?? "a task"}, which failed`, ...tasks };
    default:
      return { kind: "info", title: `It needs ${because.task ?? "a task"}, which was skipped`, ...tasks };
  }
}

function waiting(node: TreeNode, nodes: readonly TreeNode[]): Why | undefined {
  const on = new Set(node.waiting_for);
  switch (node.phase) {
    case "BACKOFF": {
      const last = node.attempts?.at(-1);
      const failure = node.failure ?? last?.failure;
      const retryAt = node.retry_at ?? last?.retry_at;
      return {
        kind: "warning",
        title: `Attempt ${(last?.attempt ?? 0) + 1} failed; another one follows`,
        ...(failure ? { message: failure.message } : {}),
        ...(retryAt ? { retryAt } : {}),
      };
    }
    case "WAITING": {
      const tasks = nodes.filter((it) => on.has(it.node));
      return on.size === 0
        ? undefined
        : { kind: "info", title: on.size === 1 ? "It waits for a task" : `It waits for ${on.size} tasks`, tasks };
    }
    case "CACHE":
      return { kind: "info", title: "It is being looked up in the cache, or waits for room" };
    case "QUEUED":
      return { kind: "info", title: "It is ready, and waits for room: as many tasks are running as may run at a time" };
    default:
      return undefined;
  }
}

/** A condition with names of inputs as people know them: `inputs.parameter_values['pipelinechannel--a-Output']` is `a-Output`. */
export function readable(condition: string): string {
  return condition.replaceAll(/inputs\.parameter_values\[(['"])(?:pipelinechannel--)?(.+?)\1\]/g, "$2");
}

/**
 * What runs again when a run goes on from a node: it and all that depends on it, also by the groups that they are in.
 * Loops stand for their iterations.
 */
export function againFrom(node: TreeNode, nodes: readonly TreeNode[]): TreeNode[] {
  const byNumber = new Map(nodes.map((it) => [it.node, it]));
  const above = (it: TreeNode): TreeNode[] => {
    const up = byNumber.get(it.parent ?? -1);
    return up ? [up, ...above(up)] : [];
  };
  const again = new Set([node.node]);
  const touched = new Set<number>();
  const add = (it: TreeNode) => {
    again.add(it.node);
    for (const group of above(it)) {
      touched.add(group.node);
    }
  };
  add(node);
  for (let before = 0; before < again.size; ) {
    before = again.size;
    for (const it of nodes) {
      if (!again.has(it.node) && (it.depends_on ?? []).some((on) => again.has(on) || touched.has(on))) {
        add(it);
      }
    }
  }
  const isLeaf = (it: TreeNode) => ["CONTAINER", "IMPORTER", "LOOP"].includes(it.kind);
  return nodes.filter((it) => isLeaf(it) && [it, ...above(it)].some((up) => again.has(up.node)));
}
