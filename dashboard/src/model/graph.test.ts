import { expect, test } from "vitest";
import type { PipelineSpec, TaskSpec } from "../api/penstock";
import { drawn, graphOf, type Opening } from "./graph";
import { choicesIn, openingOf, revealing, usuallyOpen, withChoices, withGroup, withIteration } from "./graphOpening";
import { aroundPath, conditionWords, iterationOfPath, titleOf } from "./graphWords";

const task = (component: string, more: Partial<TaskSpec> = {}): TaskSpec => ({
  taskInfo: { name: component },
  componentRef: { name: `comp-${component}` },
  ...more,
});
const takes = (producerTask: string) => ({ inputs: { parameters: { x: { taskOutputParameter: { producerTask } } } } });

const spec: PipelineSpec = {
  pipelineInfo: { name: "p" },
  deploymentSpec: { executors: { "exec-load": { importer: {} }, "exec-train": { container: {} } } },
  root: {
    dag: {
      tasks: {
        load: task("load"),
        nested: task("nested", takes("load")),
        "for-loop-1": task("loop", { parameterIterator: {}, dependentTasks: ["nested"] }),
        "condition-2": task("when", {
          triggerPolicy: { condition: "int(inputs.parameter_values['pipelinechannel--n']) > 5" },
        }),
        report: task("train", {
          dependentTasks: ["for-loop-1"],
          inputs: { parameters: { s: { taskFinalStatus: { producerTask: "load" } } } },
        }),
      },
    },
  },
  components: {
    "comp-load": { executorLabel: "exec-load" },
    "comp-train": { executorLabel: "exec-train" },
    "comp-nested": { dag: { tasks: { a: task("train"), b: task("train", takes("a")) } } },
    "comp-loop": { dag: { tasks: { inner: task("nested") } } },
    "comp-when": { dag: { tasks: { train: task("train") } } },
  },
};
const closed: Opening = { isOpen: () => false, iterationOf: () => undefined };
const paths = (opening: Opening, of = spec) =>
  [...drawn(graphOf(of, undefined, opening).children)].map((it) => it.path);

test("tasks, groups and what they need", () => {
  const { children, edges } = graphOf(spec, undefined, closed);
  expect(children.map((it) => [it.key, it.form, it.canOpen, it.taskCount])).toEqual([
    ["load", "importer", false, 1],
    ["nested", "pipeline", true, 2],
    ["for-loop-1", "loop", true, 2],
    ["condition-2", "condition", true, 1],
    ["report", "task", false, 1],
  ]);
  expect(edges).toEqual([
    [0, 1],
    [1, 2],
    [2, 4],
  ]);
  expect(children[3]?.condition).toBe("n > 5");
});

test("settings that take an output make an edge", () => {
  const platform = {
    platforms: {
      kubernetes: {
        deploymentSpec: {
          executors: {
            "exec-train": { pvcMount: [{ pvcNameParameter: { taskOutputParameter: { producerTask: "load" } } }] },
          },
        },
      },
    },
  };
  expect(graphOf(spec, platform, closed).edges).toContainEqual([0, 4]);
});

test("open groups hold their tasks, open loops the tasks of an iteration", () => {
  const open: Opening = { isOpen: () => true, iterationOf: (path) => (path === "for-loop-1" ? 3 : undefined) };
  expect(paths(open)).toEqual([
    "load",
    "nested",
    "nested/a",
    "nested/b",
    "for-loop-1",
    "for-loop-1[3]/inner",
    "for-loop-1[3]/inner/a",
    "for-loop-1[3]/inner/b",
    "condition-2",
    "condition-2/train",
    "report",
  ]);
});

test("what holds itself comes to an end", () => {
  const endless: PipelineSpec = {
    ...spec,
    components: { ...spec.components, "comp-nested": { dag: { tasks: { me: task("nested") } } } },
  };
  expect(paths({ ...closed, isOpen: () => true }, endless).length).toBeLessThan(100);
});

test("small groups are open at first, and loops are not", () => {
  expect([...usuallyOpen(spec)]).toEqual(["nested", "condition-2"]);
  expect([...usuallyOpen(spec, "bodies")]).toEqual(["nested", "for-loop-1", "condition-2", "for-loop-1[*]/inner"]);
});

test("choices go into an address and come back", () => {
  const none = choicesIn(new URLSearchParams("task=x"));
  const choices = withIteration(
    withGroup(withGroup({ ...none, base: "all" }, new Set(), "a,b/c%", false), new Set(), "nested", false),
    "for-loop-1",
    3,
  );
  const query = withChoices(new URLSearchParams("task=x"), withIteration(choices, "nested/for-loop-2", "each"));
  const again = choicesIn(new URLSearchParams(query.toString()));
  expect(query.get("task")).toBe("x");
  expect(again.base).toBe("all");
  expect([...again.flipped]).toEqual(["a,b/c%", "nested"]);
  expect([...again.iterations]).toEqual([
    ["for-loop-1", 3],
    ["nested/for-loop-2", "each"],
  ]);
  expect(withChoices(query, none).toString()).toBe("task=x");
  expect(choicesIn(new URLSearchParams("flip=%25zz&iterations=x,y[z]")).iterations.size).toBe(0);
});

test("what is selected is seen", () => {
  const choices = choicesIn(new URLSearchParams("open=none"));
  const opening = openingOf(choices, new Set(), "for-loop-1[2]/inner/a");
  expect(opening.iterationOf("for-loop-1")).toBe(2);
  expect(opening.isOpen("for-loop-1[2]/inner")).toBe(true);
  expect(opening.isOpen("nested")).toBe(false);
  expect(openingOf(choices, new Set(), undefined, "bodies").iterationOf("for-loop-1")).toBeUndefined();
});

test("where all is open loops are, and can be closed and opened by themselves", () => {
  const all = choicesIn(new URLSearchParams("open=all"));
  const iterationIn = (choices: typeof all) => openingOf(choices, new Set(), undefined).iterationOf("for-loop-1");
  expect(iterationIn(all)).toBe("each");
  const closed = withIteration(withIteration(all, "for-loop-1", 2), "for-loop-1", undefined);
  expect(iterationIn(closed)).toBeUndefined();
  expect(iterationIn(withIteration(closed, "for-loop-1", 3))).toBe(3);
  expect(iterationIn(choicesIn(new URLSearchParams()))).toBeUndefined();
});

test("a group of an iteration is open at first", () => {
  const opening = openingOf(choicesIn(new URLSearchParams()), new Set(["nested"]), undefined);
  expect(opening.isOpen("for-loop-1[2]/inner")).toBe(true);
  expect(opening.isOpen("other")).toBe(false);
});

test("paths tell what is around", () => {
  expect(aroundPath("a/for-loop-1[3]/b/c")).toEqual({
    groups: ["a", "a/for-loop-1", "a/for-loop-1[3]/b"],
    iterations: ["a/for-loop-1[3]"],
  });
  expect(aroundPath("a/for-loop-1[3]")).toEqual({ groups: ["a", "a/for-loop-1"], iterations: ["a/for-loop-1[3]"] });
  expect(iterationOfPath("a/b")).toBeUndefined();
});

test.each([
  ["inputs.parameter_values['pipelinechannel--coin-Output'] == 'heads'", "coin-Output == 'heads'"],
  ["!(int(inputs.parameter_values['pipelinechannel--depth'])\n > 5)", "!(depth > 5)"],
  ["inputs.parameter_values['pipelinechannel--f'] >= double(5)", "f >= 5"],
  ["true", "true"],
])("%s in words", (condition, words) => expect(conditionWords(condition)).toBe(words));

test("a group that is closed or opened again is as it was", () => {
  const none = choicesIn(new URLSearchParams());
  const usual = new Set(["nested"]);
  const closed = withGroup(none, usual, "nested", false);
  expect(openingOf(closed, usual, undefined).isOpen("nested")).toBe(false);
  expect(withGroup(closed, usual, "nested", true)).toEqual(none);
  // What is selected keeps its group open, and closing that is meant all the same.
  expect(openingOf(withGroup(none, usual, "other", false), usual, "other/x").isOpen("other")).toBe(true);
});

test("what is around a path can be opened", () => {
  const shown = revealing(choicesIn(new URLSearchParams("open=none")), new Set(), "nested/for-loop-1[2]/inner/a");
  expect([...shown.flipped]).toEqual(["nested", "nested/for-loop-1", "nested/for-loop-1[2]/inner"]);
  expect([...shown.iterations]).toEqual([["nested/for-loop-1", 2]]);
});

test("a condition without a name of its own is headed by what it says", () => {
  expect(titleOf({ name: "condition-2", condition: "n > 5" })).toBe("n > 5");
  expect(titleOf({ name: "big enough", condition: "n > 5" })).toBe("big enough");
  expect(titleOf({ name: "condition-2", condition: undefined })).toBe("condition-2");
});

test("a loop over one component holds a task for each item", () => {
  const alone: PipelineSpec = {
    ...spec,
    root: { dag: { tasks: { train: task("train", { parameterIterator: {} }) } } },
  };
  const open: Opening = { isOpen: () => false, iterationOf: () => 2 };
  const loop = graphOf(alone, undefined, open).children[0];
  expect([loop?.form, loop?.iteration, loop?.canOpen]).toEqual(["loop", 2, true]);
  expect(loop?.children.map((it) => [it.path, it.form, it.canOpen, it.parent])).toEqual([
    ["train[2]", "task", false, "train"],
  ]);
});
