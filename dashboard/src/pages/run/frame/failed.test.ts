import { hashKey } from "@tanstack/react-query";
import { expect, test } from "vitest";
import type { TreeNode } from "../../../api/penstock";
import { treeQuery } from "../../../api/runs";
import { failedQuery, failedWithin, firstFailed } from "./failed";

function node(number: number, kind: TreeNode["kind"], more: Partial<TreeNode> = {}): TreeNode {
  const name = `n${number}`;
  return {
    ...{ node: number, parent: 0, key: name, name, path: name, task_id: name, kind, component: "comp" },
    ...{ status: "FAILED", phase: "ENDED", ...more },
  };
}

const ended = (second: number) => ({ ended_at: `2026-08-01T10:00:0${second}Z` });

test("the task that failed first is blamed, not what it is in", () => {
  const later = node(2, "CONTAINER", ended(4));
  const first = node(3, "CONTAINER", ended(2));
  expect(firstFailed([node(0, "ROOT", ended(1)), node(1, "DAG", ended(1)), later, first])).toBe(first);
  expect(firstFailed([node(1, "CONTAINER", { status: "SUCCEEDED" })])).toBeUndefined();
});

test("in loops within loops it is asked for", async () => {
  const loop = node(1, "LOOP");
  const inner = node(5, "LOOP", { parent: 4, ...ended(3) });
  const task = node(8, "CONTAINER", { parent: 7 });
  const trees = new Map([
    [1, [node(3, "ITERATION", ended(5)), node(4, "ITERATION", ended(4))]],
    [4, [node(4, "ITERATION"), inner, node(6, "CONTAINER", { parent: 4, status: "SUCCEEDED" })]],
    [5, [node(7, "ITERATION", { parent: 5 })]],
    [7, [node(7, "ITERATION"), task]],
  ]);
  const asked: unknown[] = [];
  const found = await failedWithin(loop, async (it) => {
    asked.push(it);
    return trees.get(it.node) ?? [];
  });
  expect(found).toBe(task);
  expect(asked[0]).toEqual({ node: 1, limit: 100, status: "FAILED" });
  expect(asked[1]).toEqual({ node: 4 });
  // An iteration may be the task itself, and there may be nothing below.
  expect(await failedWithin(task, async () => [])).toBe(task);
  expect(await failedWithin(loop, async () => [])).toBe(loop);
});

test("what is not asked for is not taken for the run's tree", () => {
  const { queryKey } = failedQuery("run", undefined, {});
  expect(hashKey(queryKey)).not.toBe(hashKey(treeQuery("run").queryKey));
  expect(hashKey(failedQuery("run", node(1, "LOOP"), {}).queryKey)).not.toBe(hashKey(queryKey));
});
