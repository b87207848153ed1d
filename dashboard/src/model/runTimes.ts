/** When a run was under way: what "took" means on every page. */
import type { Run } from "../api/kfp";
import { instant } from "./time";

/** When its first task could begin; undefined while it waits for its turn. A retry begins no new count. */
export function startOf(run: Pick<Run, "state_history">): string | undefined {
  return run.state_history?.find((it) => it.state === "RUNNING")?.update_time;
}

/** What to say of when a run was: its end if it has one, else its start, else that it was created. */
export function latestOf(run: Pick<Run, "state_history" | "created_at" | "finished_at">): {
  word: "ended" | "started" | "created";
  at: string;
} {
  const start = startOf(run);
  if (instant(run.finished_at) !== undefined) {
    return { word: "ended", at: run.finished_at };
  }
  return start === undefined ? { word: "created", at: run.created_at } : { word: "started", at: start };
}
