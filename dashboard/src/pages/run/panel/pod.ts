import type { PodStatus } from "../../../api/tasks";

interface Why {
  reason?: string;
  message?: string;
}

/** A state and why it is so, as a sentence has it. */
export const said = (state: string | undefined, { reason, message }: Why) =>
  [state, reason, message].filter(Boolean).join(": ");

/** What does not hold of a Pod, where the cluster says why. Of a Pod that has ended it is no news that it is not ready. */
export function unmet({ phase, conditions = [] }: PodStatus) {
  const isOver = phase === "Succeeded" || phase === "Failed";
  return conditions.filter(({ status, reason, message }) => !isOver && status !== "True" && (reason || message));
}
