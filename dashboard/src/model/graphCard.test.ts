import { expect, test } from "vitest";
import type { TreeNode } from "../api/penstock";
import type { Item } from "./graph";
import { cardOf, countsOf, labelOf, progressOf } from "./graphCard";

const item: Item = {
  path: "g/train",
  key: "train",
  name: "Train",
  form: "task",
  component: "comp-train",
  parent: "g",
  condition: undefined,
  canOpen: false,
  isOpen: false,
  iteration: undefined,
  taskCount: 1,
  children: [],
  edges: [],
};
const node: TreeNode = {
  node: 2,
  parent: 1,
  key: "train",
  name: "Train",
  path: "g/train",
  task_id: "t",
  kind: "CONTAINER",
  component: "comp-train",
  status: "SUCCEEDED",
  phase: "ENDED",
  ready_at: "2026-08-01T10:00:00Z",
  started_at: "2026-08-01T10:00:01Z",
  ended_at: "2026-08-01T10:00:13Z",
  attempts: [
    { attempt: 0, started_at: "2026-08-01T10:00:01Z", ended_at: "2026-08-01T10:00:05Z", outcome: "FAILED" },
    { attempt: 1, started_at: "2026-08-01T10:00:06Z", ended_at: "2026-08-01T10:00:13Z", outcome: "SUCCEEDED" },
  ],
};
const group: TreeNode = { ...node, node: 1, parent: 0, kind: "DAG", path: "g" };

test("a task says how it stands, for how long, and in which attempt", () => {
  const card = cardOf(item, node, group);
  expect(card).toMatchObject({ standing: "succeeded", words: "Succeeded", attempts: 2 });
  expect(labelOf(item, card)).toBe("Train, Succeeded, 12 s, 2 attempts, in g");
});

test("a result of the cache is told apart", () => {
  const cached = { ...node, cached_from: { run_id: "r", task_path: "train" } };
  expect(cardOf(item, cached, group).words).toBe("Cached");
});

test.each([
  ["QUEUED", "Waiting to start"],
  ["BACKOFF", "Waiting to retry"],
  ["CACHE", "Waiting to start"],
  ["WAITING", "Waiting"],
])("what waits says for what: %s", (phase, words) => {
  expect(cardOf(item, { ...node, status: "PENDING", phase }, group).words).toBe(words);
});

test("what has no node waits while its group does, and is not run when that has ended", () => {
  const { ended_at: _, ...open } = group;
  expect(cardOf(item, undefined, { ...open, status: "RUNNING" }).words).toBe("Waiting");
  expect(cardOf(item, undefined, { ...group, status: "SKIPPED" })).toMatchObject({
    standing: "skipped",
    words: "Not run",
  });
  expect(cardOf(item, undefined, undefined).standing).toBeUndefined();
});

test("counts, and progress in words", () => {
  const counts = countsOf({ PENDING: 1, SUCCEEDED: 7, FAILED: 2, SKIPPED: 0 });
  expect(counts.map((it) => it.standing)).toEqual(["succeeded", "failed", "waiting"]);
  expect(progressOf("loop", counts, 10)).toBe("9 of 10 iterations, 2 failed");
  expect(progressOf("pipeline", countsOf({ SUCCEEDED: 1 }), undefined)).toBe("1 task");
});
