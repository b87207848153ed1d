import { expect, test } from "vitest";
import type { TreeNode } from "../api/penstock";
import { nodeAt, spanOf } from "./instant";

const at = (second: number) => Date.UTC(2026, 7, 1, 10, 0, second);
const text = (second: number) => new Date(at(second)).toISOString();

const task: TreeNode = {
  node: 1,
  parent: 0,
  key: "train",
  name: "train",
  path: "train",
  task_id: "t",
  kind: "CONTAINER",
  component: "comp-train",
  status: "FAILED",
  phase: "ENDED",
  ready_at: text(1),
  started_at: text(2),
  ended_at: text(9),
  failure: { cause: "exit", message: "exit code 1" },
  attempts: [
    {
      attempt: 0,
      started_at: text(2),
      ended_at: text(4),
      outcome: "FAILED",
      failure: { cause: "exit", message: "exit code 2" },
      retry_at: text(6),
    },
    {
      attempt: 1,
      started_at: text(7),
      ended_at: text(9),
      outcome: "FAILED",
      failure: { cause: "exit", message: "exit code 1" },
    },
  ],
};

const group: TreeNode = { ...task, kind: "DAG", attempts: [], counts: { FAILED: 1 } };
delete (group as { ready_at?: string }).ready_at;

test("now is as it is", () => expect(nodeAt(task, undefined)).toBe(task));

test.each([
  [0, "PENDING", "WAITING", 0],
  [1, "PENDING", "QUEUED", 0],
  [3, "RUNNING", "RUNNING", 1],
  [5, "PENDING", "BACKOFF", 1],
  [6, "PENDING", "QUEUED", 1],
  [8, "RUNNING", "RUNNING", 2],
  [9, "FAILED", "ENDED", 2],
  [100, "FAILED", "ENDED", 2],
] as const)("a task at second %i is %s, %s", (second, status, phase, attempts) => {
  const past = nodeAt(task, at(second));
  expect([past.status, past.phase, past.attempts?.length]).toEqual([status, phase, attempts]);
});

test("what was not known yet is not told", () => {
  const running = nodeAt(task, at(8));
  expect(running.ended_at).toBeUndefined();
  expect(running.failure).toBeUndefined();
  expect(running.attempts?.[0]?.outcome).toBe("FAILED");
  expect(running.attempts?.[1]?.outcome).toBeUndefined();
  expect(nodeAt(task, at(0)).started_at).toBeUndefined();
  expect(nodeAt(task, at(1)).started_at).toBeUndefined();
  expect(nodeAt(task, at(5))).toMatchObject({ retry_at: text(6), failure: { message: "exit code 2" } });
});

test("a group runs from its first part to its end, and its counts are of its end", () => {
  expect(nodeAt(group, at(1)).status).toBe("PENDING");
  const running = nodeAt(group, at(3));
  expect(running.status).toBe("RUNNING");
  expect(running.counts).toBeUndefined();
  expect(nodeAt(group, at(9)).counts).toEqual({ FAILED: 1 });
});

test("a skipped task was waiting until then", () => {
  const { started_at: _, ready_at: _r, ...rest } = task;
  const skipped: TreeNode = { ...rest, status: "SKIPPED", attempts: [], ended_at: text(5) };
  expect(nodeAt(skipped, at(4)).status).toBe("PENDING");
  expect(nodeAt(skipped, at(5)).status).toBe("SKIPPED");
});

test("the span is from the first beginning to the root's end", () => {
  const { parent: _, ...root } = group;
  expect(spanOf([root, task])).toEqual({ from: at(1), to: at(9) });
  const { ended_at: _e, ...open } = root;
  expect(spanOf([open])?.to).toBeUndefined();
  expect(spanOf([])).toBeUndefined();
});
