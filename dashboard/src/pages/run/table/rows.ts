/** The rows of the table of tasks: which, and in which order. */
import type { TaskStatus, TreeNode } from "../../../api/penstock";
import { type Standing, standingOfNode } from "../../../model/state";
import { instant } from "../../../model/time";
import { readable } from "../panel/why";

export const COLUMNS = ["state", "name", "reason", "started", "took", "attempts"] as const;

export type Column = (typeof COLUMNS)[number];

export interface Asked {
  text: string;
  standing: string;
  sort: Column | undefined;
  descending: boolean;
  /** Groups beside tasks; those that were skipped are always there. */
  groups: boolean;
}

/** In which iterations of loops tasks may be that are asked for; none for all of them. */
export function iterationsWith(asked: Pick<Asked, "standing" | "text">): readonly TaskStatus[] {
  switch (asked.standing) {
    // An iteration that goes on may hold what has failed already.
    case "failed":
      return FAILED_OR_RUNNING;
    case "running":
    case "waiting":
      return RUNNING;
    case "canceled":
      return CANCELED;
    case "":
      return asked.text.trim() === "" ? FAILED : ALL;
    default:
      return ALL;
  }
}

// The same ones each time, so that nothing is computed anew.
const FAILED: readonly TaskStatus[] = ["FAILED"];
const FAILED_OR_RUNNING: readonly TaskStatus[] = ["FAILED", "RUNNING"];
const RUNNING: readonly TaskStatus[] = ["RUNNING"];
const CANCELED: readonly TaskStatus[] = ["CANCELED"];
const ALL: readonly TaskStatus[] = [];

/** In a few words why a node stands as it does. */
export function reasonOf(node: TreeNode, byNumber: ReadonlyMap<number, TreeNode>): string {
  if (node.failure) {
    return node.failure.message;
  }
  if (node.skipped) {
    const { reason, condition, task } = node.skipped;
    return reason === "CONDITION"
      ? `not ${readable(condition ?? "")}`
      : `${task ?? "a task"} ${reason === "UPSTREAM_FAILED" ? "failed" : "was skipped"}`;
  }
  const waits = (node.waiting_for ?? []).flatMap((it) => byNumber.get(it)?.name ?? []);
  if (node.phase === "WAITING" && waits.length > 0) {
    return `waits for ${waits.slice(0, 3).join(", ")}${waits.length > 3 ? ` and ${waits.length - 3} more` : ""}`;
  }
  if (node.phase === "BACKOFF") {
    return node.attempts?.at(-1)?.failure?.message ?? "waits for another attempt";
  }
  return node.phase === "QUEUED" ? "waits for room" : "";
}

/** What stands for the end of what went on at an instant that is looked at. */
export function endAt(looked: number | undefined): string | undefined {
  return looked === undefined ? undefined : new Date(looked).toISOString();
}

/** How long a node took, or has taken; nothing if it did not start. */
export function took(node: TreeNode, now: number): number | undefined {
  const started = instant(node.started_at);
  return started === undefined ? undefined : (instant(node.ended_at) ?? now) - started;
}

/** What needs looking at comes first. */
const ORDER: readonly Standing[] = [
  "failed",
  "running",
  "canceling",
  "waiting",
  "canceled",
  "succeeded",
  "cached",
  "skipped",
  "unknown",
];

type Keyed = { node: TreeNode; key: string | number | undefined };

export function rowsOf(
  nodes: readonly TreeNode[],
  asked: Asked,
  byNumber: ReadonlyMap<number, TreeNode>,
  now: number,
): TreeNode[] {
  const wanted = asked.text.trim().toLowerCase();
  const rows = nodes.filter(
    (node) =>
      node.kind !== "ROOT" &&
      (asked.groups || node.kind !== "DAG" || node.status === "SKIPPED") &&
      (asked.standing === "" || standingOfNode(node) === asked.standing) &&
      (wanted === "" || `${node.path} ${node.component} ${reasonOf(node, byNumber)}`.toLowerCase().includes(wanted)),
  );
  const { sort, descending } = asked;
  if (!sort) {
    return rows;
  }
  const keyed: Keyed[] = rows.map((node) => ({ node, key: keyOf(node, sort, byNumber, now) }));
  return keyed.sort((a, b) => compared(a.key, b.key, descending)).map(({ node }) => node);
}

function keyOf(node: TreeNode, sort: Column, byNumber: ReadonlyMap<number, TreeNode>, now: number): Keyed["key"] {
  switch (sort) {
    case "state":
      return ORDER.indexOf(standingOfNode(node));
    case "name":
      return node.path;
    case "reason":
      return reasonOf(node, byNumber) || undefined;
    case "started":
      return instant(node.started_at);
    case "took":
      return took(node, now);
    case "attempts":
      return node.attempts?.length ?? 0;
  }
}

const NAMES = new Intl.Collator("en", { numeric: true });

/** What has no value is last either way. */
function compared(a: Keyed["key"], b: Keyed["key"], descending: boolean): number {
  if (a === undefined || b === undefined) {
    return Number(a === undefined) - Number(b === undefined);
  }
  const order = typeof a === "string" && typeof b === "string" ? NAMES.compare(a, b) : Number(a) - Number(b);
  return descending ? -order : order;
}
