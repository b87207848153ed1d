/** What the box of a task or group says of it. */
import type { TaskStatus, TreeNode } from "../api/penstock";
import type { Form, Item } from "./graph";
import { FORM_WORDS } from "./graphWords";
import { isFinal, STANDING_WORDS, type Standing, standingOf, standingOfNode } from "./state";
import { duration, instant } from "./time";

export interface Card {
  /** Nothing is known of how it stands before there is a run. */
  standing: Standing | undefined;
  /** How it stands, in words. */
  words: string;
  startedAt: string | undefined;
  endedAt: string | undefined;
  attempts: number;
  /** Of groups. */
  counts: readonly Count[];
  items: number | undefined;
  isOnHost: boolean;
}

export interface Count {
  standing: Standing;
  count: number;
}

/** What a box says, of an item that has a node or is to have one. */
export function cardOf(item: Item, node: TreeNode | undefined, around: TreeNode | undefined): Card {
  if (!node) {
    return { ...UNKNOWN, ...unbegun(around) };
  }
  const standing = standingOfNode(node);
  return {
    standing,
    words: wordsOf(node, standing),
    startedAt: node.started_at,
    endedAt: node.ended_at,
    attempts: node.attempts?.length ?? 0,
    counts: item.canOpen ? countsOf(node.counts) : [],
    items: node.items,
    isOnHost: node.ran_on_host ?? false,
  };
}

const UNKNOWN: Card = {
  standing: undefined,
  words: "",
  startedAt: undefined,
  endedAt: undefined,
  attempts: 0,
  counts: [],
  items: undefined,
  isOnHost: false,
};

/** What has no node: its group has not begun, or ended without ever beginning. */
function unbegun(around: TreeNode | undefined): Pick<Card, "standing" | "words"> {
  if (!around) {
    return { standing: undefined, words: "" };
  }
  return isFinal(standingOf(around.status))
    ? { standing: "skipped", words: "Not run" }
    : { standing: "waiting", words: STANDING_WORDS.waiting };
}

function wordsOf(node: TreeNode, standing: Standing): string {
  if (standing === "waiting" || standing === "running") {
    switch (node.phase) {
      // What is told does not say whether the cache has answered.
      case "CACHE":
      case "QUEUED":
        return "Waiting to start";
      case "BACKOFF":
        return "Waiting to retry";
    }
  }
  return STANDING_WORDS[standing];
}

const ORDER: readonly TaskStatus[] = ["SUCCEEDED", "RUNNING", "FAILED", "CANCELED", "SKIPPED", "PENDING"];

/** Counts in the order in which they are drawn; none that are zero. */
export function countsOf(counts: TreeNode["counts"]): Count[] {
  return ORDER.flatMap((status) => {
    const count = counts?.[status] ?? 0;
    return count > 0 ? [{ standing: standingOf(status), count }] : [];
  });
}

/** How many of how many have ended, in words. */
export function progressOf(form: Form, counts: readonly Count[], items: number | undefined): string {
  const total = Math.max(
    items ?? 0,
    counts.reduce((sum, { count }) => sum + count, 0),
  );
  const done = counts.reduce((sum, { standing, count }) => sum + (isFinal(standing) ? count : 0), 0);
  const failed = counts.find((it) => it.standing === "failed")?.count ?? 0;
  const what = form === "loop" ? (total === 1 ? "iteration" : "iterations") : total === 1 ? "task" : "tasks";
  const words = done === total ? `${total} ${what}` : `${done} of ${total} ${what}`;
  return failed > 0 ? `${words}, ${failed} failed` : words;
}

/** All that a box tells, for who hears it. */
export function labelOf(item: Item, card: Card): string {
  const [from, to] = [instant(card.startedAt), instant(card.endedAt)];
  return [
    item.name,
    item.form !== "task" && FORM_WORDS[item.form],
    item.condition && `if ${item.condition}`,
    card.words,
    card.counts.length > 0 && progressOf(item.form, card.counts, card.items),
    from !== undefined && to !== undefined && duration(to - from),
    card.attempts > 1 && `${card.attempts} attempts`,
    item.parent && `in ${item.parent}`,
  ]
    .filter(Boolean)
    .join(", ");
}
