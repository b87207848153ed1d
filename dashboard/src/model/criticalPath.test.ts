import { expect, test } from "vitest";
import type { TreeNode } from "../api/penstock";
import { criticalPath, edgeName } from "./criticalPath";

const text = (second: number) => new Date(Date.UTC(2026, 7, 1, 10, 0, second)).toISOString();

function node(
  number: number,
  parent: number | undefined,
  path: string,
  ended: number | undefined,
  more: Partial<TreeNode> = {},
) {
  const made: TreeNode = {
    node: number,
    key: path,
    name: path,
    path,
    task_id: path,
    kind: "CONTAINER",
    component: "c",
    status: ended === undefined ? "RUNNING" : "SUCCEEDED",
    phase: "ENDED",
    ...more,
  };
  if (parent !== undefined) {
    made.parent = parent;
  }
  if (ended !== undefined) {
    made.ended_at = text(ended);
  }
  return made;
}

const tree = [
  node(0, undefined, "", 30),
  node(1, 0, "fast", 5),
  node(2, 0, "slow", 9),
  node(3, 0, "g", 20, { kind: "DAG", depends_on: [1, 2] }),
  node(4, 3, "g/a", 12),
  node(5, 3, "g/b", 19, { depends_on: [4] }),
  node(6, 3, "g/c", 15, { depends_on: [4] }),
  node(7, 0, "end", 30, { depends_on: [3, 8] }),
  node(8, 0, "not", 25, { status: "SKIPPED" }),
];

test("what ended last, and what it waited for longest, in groups too", () => {
  const { nodes, edges } = criticalPath(tree);
  expect([...nodes].sort()).toEqual(["end", "g", "g/a", "g/b", "slow"]);
  expect([...edges].sort()).toEqual([edgeName("g", "end"), edgeName("g/a", "g/b"), edgeName("slow", "g")].sort());
});

test("of a run that goes on, it is the path so far", () => {
  const open = tree.map((it) =>
    it.path === "end" || it.path === "" ? node(it.node, it.parent, it.path, undefined, { depends_on: [3] }) : it,
  );
  expect([...criticalPath(open).nodes].sort()).toEqual(["g", "g/a", "g/b", "slow"]);
});

test("an iteration that was loaded alone has a path of its own", () => {
  const { nodes } = criticalPath([node(20, 10, "l[3]", 8, { kind: "ITERATION" }), node(21, 20, "l[3]/a", 8)]);
  expect([...nodes]).toEqual(["l[3]/a"]);
});

test("nothing ended, nothing on it", () =>
  expect(criticalPath([node(0, undefined, "", undefined)]).nodes.size).toBe(0));
