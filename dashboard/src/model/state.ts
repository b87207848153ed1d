/** How runs and tasks stand, in one list of words for both. */
import type { Run } from "../api/kfp";
import type { TreeNode } from "../api/penstock";

export type Standing =
  | "waiting"
  | "running"
  | "succeeded"
  | "cached"
  | "skipped"
  | "failed"
  | "canceling"
  | "canceled"
  | "unknown";

export const STANDING_WORDS: Record<Standing, string> = {
  waiting: "Waiting",
  running: "Running",
  succeeded: "Succeeded",
  cached: "Cached",
  skipped: "Skipped",
  failed: "Failed",
  canceling: "Stopping",
  canceled: "Stopped",
  unknown: "Unknown",
};

/** The standing that a word of the API means, of a run or a task. */
export function standingOf(word: string | undefined): Standing {
  switch (word) {
    case "PENDING":
    case "PAUSED":
      return "waiting";
    case "RUNNING":
      return "running";
    case "SUCCEEDED":
      return "succeeded";
    case "SKIPPED":
      return "skipped";
    case "FAILED":
      return "failed";
    case "CANCELING":
      return "canceling";
    case "CANCELED":
      return "canceled";
    default:
      return "unknown";
  }
}

/**
 * How a run stands that was listed or got. Of one that was stopped the API says `FAILED`, with `CANCELING` before it; so does
 * one that had no time left, but that has an error.
 */
export function standingOfRun({ state, state_history = [], error }: Pick<Run, "state" | "state_history" | "error">) {
  const isStopped = state === "FAILED" && !error && state_history.at(-2)?.state === "CANCELING";
  return standingOf(isStopped ? "CANCELED" : state);
}

export function standingOfNode(node: TreeNode): Standing {
  return node.status === "SUCCEEDED" && node.cached_from ? "cached" : standingOf(node.status);
}

/** Whether nothing more happens without somebody's doing. */
export function isFinal(standing: Standing): boolean {
  return ["succeeded", "cached", "skipped", "failed", "canceled"].includes(standing);
}

/** The words that lists of runs are narrowed by. */
export const RUN_STATES = ["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELING", "CANCELED", "SKIPPED"] as const;
