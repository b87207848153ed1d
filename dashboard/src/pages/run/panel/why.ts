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
  /** There is a log of what failed. */
  hasLog?: boolean;
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

const ROOM = "It begins by itself when other tasks have ended. If none of them gets on, see what they are doing.";

const isTask = ({ kind }: TreeNode) => kind === "CONTAINER" || kind === "IMPORTER";

/** What a cause of failure means. A cause of a later version is told as it is called. */
export function causeOf(failure: Failure): Cause {
  return CAUSES[failure.cause] ?? { title: `It failed (${failure.cause})`, remedy: "The log may say more." };
}

/** Why a node stands as it does; nothing where there is nothing to explain. Of a group that failed `blamed` failed first. */
export function whyOf(node: TreeNode, nodes: readonly TreeNode[], blamed?: TreeNode): Why | undefined {
  switch (node.status) {
    case "FAILED":
      return isTask(node) ? failed(node, nodes) : failedGroup(node, nodes, blamed);
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
  if (!node.failure) {
    return { kind: "error", title: "It failed" };
  }
  const { title, remedy } = causeOf(node.failure);
  const tasks = node.failure.cause === "UPSTREAM" ? neededOf(node, nodes) : [];
  const about = tasks.length > 0 ? { tasks } : {};
  return { kind: "error", title, message: node.failure.message, remedy, hasLog: hasLog(node), ...about };
}

/** Whether what was attempted last printed something that is kept. */
function hasLog({ kind, attempts }: TreeNode): boolean {
  const last = attempts?.at(-1);
  return kind === "CONTAINER" && last !== undefined && last.has_log !== false;
}

/** A group has no program and no log of its own: the tasks in it are to blame, and say more. */
function failedGroup(node: TreeNode, nodes: readonly TreeNode[], blamed: TreeNode | undefined): Why {
  const within = nodes.filter((it) => it.parent === node.node && it.status === "FAILED");
  const inIt = blamed ? [blamed] : within;
  const tasks = inIt.length > 0 ? inIt : neededOf(node, nodes);
  const { FAILED: count = 0 } = node.counts ?? {};
  const of = `of ${(node.items ?? 0).toLocaleString("en")} ${node.items === 1 ? "iteration" : "iterations"}`;
  const title = node.kind === "LOOP" && count > 0 ? `${count.toLocaleString("en")} ${of} failed` : "Tasks in it failed";
  const isOwn = inIt.length === 0 && node.kind !== "LOOP" && count === 0;
  return {
    kind: "error",
    title: isOwn && node.failure ? causeOf(node.failure).title : title,
    ...(node.failure ? { message: node.failure.message } : {}),
    ...(tasks.length > 0 ? { tasks } : {}),
    ...(inIt.length > 0
      ? {
          remedy: `What failed first is named above, and its log says why. Once that is mended, retry the run${node.kind === "ITERATION" ? "" : ", or from here"}.`,
        }
      : {}),
  };
}

/** The dependencies that failed. */
function neededOf(node: TreeNode, nodes: readonly TreeNode[]): TreeNode[] {
  const on = new Set(node.depends_on);
  return nodes.filter((it) => on.has(it.node) && it.status === "FAILED");
}

function skipped(because: NonNullable<TreeNode["skipped"]>, nodes: readonly TreeNode[]): Why {
  const named = nodes.filter((it) => it.path === because.task || it.key === because.task || it.name === because.task);
  const tasks = named.length > 0 ? { tasks: named.slice(0, 1) } : {};
  switch (because.reason) {
    case "CONDITION":
      return {
        kind: "info",
        title: "Its condition was not met",
        condition: because.condition ?? "",
        remedy:
          "Nothing is to be done if that is as it should be. Otherwise look at the values that the condition is made of, among the outputs of earlier tasks or the parameters of the run, and start a new run with others.",
      };
    case "UPSTREAM_FAILED":
      return {
        kind: "info",
        title: `It needs ${because.task ?? "a task"}, which failed`,
        ...tasks,
        remedy: "See there what failed. Retried from there, the run comes to this task too.",
      };
    default:
      return {
        kind: "info",
        title: `It needs ${because.task ?? "a task"}, which was skipped`,
        ...tasks,
        remedy: "See there why it was skipped: whatever needs it is skipped with it.",
      };
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
        hasLog: hasLog(node),
        remedy: "Nothing is to be done. If it is bound to fail again, stop the run; the log of the attempt says why.",
      };
    }
    case "WAITING": {
      const tasks = nodes.filter((it) => on.has(it.node));
      return on.size === 0
        ? undefined
        : {
            kind: "info",
            title: on.size === 1 ? "It waits for a task" : `It waits for ${on.size} tasks`,
            tasks,
            remedy: "It begins by itself when they have ended. If it takes too long, see what they are doing.",
          };
    }
    case "CACHE":
      return { kind: "info", title: "It is being looked up in the cache, or waits for room", remedy: ROOM };
    case "QUEUED":
      return {
        kind: "info",
        title: "It is ready, and waits for room: as many tasks are running as may run at a time",
        remedy: ROOM,
      };
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
