import { expect, test } from "vitest";
import type { PipelineSpec, TreeNode } from "../api/penstock";
import { isUnbegun, withUnbegun } from "./unbegun";

const SPEC: PipelineSpec = {
  pipelineInfo: { name: "p" },
  root: {},
  components: {
    "comp-if": {
      dag: {
        tasks: {
          work: { componentRef: { name: "comp-work" }, taskInfo: { name: "Work" } },
          each: { componentRef: { name: "comp-if" }, parameterIterator: {} },
          inner: { componentRef: { name: "comp-inner" } },
        },
      },
    },
    "comp-inner": { dag: { tasks: { get: { componentRef: { name: "comp-get" } } } } },
    "comp-work": { executorLabel: "exec-work" },
    "comp-get": { executorLabel: "exec-get" },
    // It holds itself, twice.
    "comp-self": {
      dag: { tasks: { a: { componentRef: { name: "comp-self" } }, b: { componentRef: { name: "comp-self" } } } },
    },
  },
  deploymentSpec: { executors: { "exec-work": { container: {} }, "exec-get": { importer: {} } } },
};

function node(number: number, component: string, more: Partial<TreeNode> = {}): TreeNode {
  const name = `n${number}`;
  return {
    ...{ node: number, parent: 0, key: name, name, path: name, task_id: name, kind: "DAG", component },
    ...{ status: "SKIPPED", phase: "ENDED", ...more },
  };
}

test("a group that was skipped has the tasks that it would have had, at any depth", () => {
  const nodes = withUnbegun([node(1, "comp-if"), node(2, "comp-work", { kind: "CONTAINER" })], SPEC);
  expect(nodes.map((it) => [it.path, it.kind, it.status])).toEqual([
    ["n1", "DAG", "SKIPPED"],
    ["n1/work", "CONTAINER", "SKIPPED"],
    ["n1/each", "LOOP", "SKIPPED"],
    ["n1/inner", "DAG", "SKIPPED"],
    ["n1/inner/get", "IMPORTER", "SKIPPED"],
    ["n2", "CONTAINER", "SKIPPED"],
  ]);
  expect(nodes.filter(isUnbegun)).toHaveLength(4);
  expect(nodes[1]).toMatchObject({ name: "Work", skipped: { reason: "UPSTREAM", task: "n1" } });
});

test("of a group that has not begun yet they wait, and one that has begun has its own", () => {
  const waits = withUnbegun([node(1, "comp-inner", { status: "PENDING", phase: "WAITING" })], SPEC);
  expect(waits[1]).toMatchObject({ path: "n1/get", status: "PENDING", phase: "WAITING" });
  const begun = [node(1, "comp-inner", { status: "RUNNING" }), node(2, "comp-get", { parent: 1, kind: "IMPORTER" })];
  expect(withUnbegun(begun, SPEC)).toBe(begun);
  expect(withUnbegun(waits, undefined)).toBe(waits);
});

test("a definition without an end has one", () => {
  expect(withUnbegun([node(1, "comp-self")], SPEC).length).toBeLessThanOrEqual(5001);
});
