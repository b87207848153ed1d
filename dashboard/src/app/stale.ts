import { ApiError } from "../api/http";
import type { Change } from "../api/penstock";

/** What is to be read again after some changes. */
export interface Stale {
  /** The first words of the keys of queries. */
  names: Set<string>;
  /** Runs whose trees are old. */
  runs: Set<string>;
}

export const nothingStale = (): Stale => ({ names: new Set(), runs: new Set() });

export function addStale(stale: Stale, change: Change): void {
  if (change.kind.startsWith("recurring_run")) {
    stale.names.add("schedules");
    return;
  }
  stale.names.add("artifacts");
  if (change.kind === "task_ended") {
    // The tree of a run that goes on is read again by the run's own stream.
    return;
  }
  for (const name of ["runs", "run", "experiments"]) {
    stale.names.add(name);
  }
  // A run that is retried and fails again at once may be read only before and after: nobody saw it open then, so its own
  // stream was not followed.
  if (change.run_id !== undefined) {
    stale.runs.add(change.run_id);
  }
}

export function isStale(stale: Stale, key: readonly unknown[]): boolean {
  const [name, id, asked] = key;
  if (name === "tree") {
    return stale.runs.has(String(id)) && !isOfThePast(asked);
  }
  return stale.names.has(String(name));
}

/** Whether an answer is missing because the server could not be reached, so that asking again helps once it can. */
export const isMissed = ({ error }: { error: unknown }) => error instanceof ApiError && error.isPassing;

/** Whether a tree was asked for as it was at an instant: that never changes. */
export const isOfThePast = (asked: unknown) => typeof asked === "object" && asked !== null && "at" in asked;
