import { expect, it } from "vitest";
import type { Json } from "../api/kfp";
import type { PipelineSpec } from "../api/penstock";
import { noteOf, plannedTask } from "./plannedTask";

const task = (component: string, more: Record<string, Json> = {}) => ({
  componentRef: { name: `comp-${component}` },
  taskInfo: { name: component },
  ...more,
});
const parameters = (bound: Record<string, Json>) => ({ inputs: { parameters: bound } });

const SPEC = {
  pipelineInfo: { name: "p" },
  root: {
    inputDefinitions: { parameters: { rows: { parameterType: "NUMBER_INTEGER" } } },
    dag: {
      tasks: {
        prepare: task("prepare", {
          ...parameters({ rows: { componentInputParameter: "rows" }, kind: { runtimeValue: { constant: "small" } } }),
          cachingOptions: { enableCache: true },
          retryPolicy: { maxRetryCount: 3, backoffDuration: "30s", backoffFactor: 2, backoffMaxDuration: "3600s" },
        }),
        "condition-1": task("condition-1", {
          ...parameters({ "pipelinechannel--prepare-out": output("prepare", "out") }),
          triggerPolicy: { condition: "inputs.parameter_values['pipelinechannel--prepare-out'] == 'go'" },
          dependentTasks: ["prepare"],
        }),
        notify: task("notify", {
          ...parameters({ status: { taskFinalStatus: { producerTask: "condition-1" } } }),
          dependentTasks: ["condition-1", "prepare"],
          triggerPolicy: { strategy: "ALL_UPSTREAM_TASKS_COMPLETED" },
        }),
        bring: task("bring"),
      },
    },
  },
  components: {
    "comp-prepare": {
      executorLabel: "exec-prepare",
      inputDefinitions: {
        parameters: {
          rows: { parameterType: "NUMBER_INTEGER" },
          kind: { parameterType: "STRING" },
          seed: { parameterType: "NUMBER_INTEGER", defaultValue: 7 },
        },
        artifacts: { extra: { artifactType: { schemaTitle: "system.Dataset" }, isOptional: true } },
      },
      outputDefinitions: {
        parameters: { out: { parameterType: "STRING" } },
        artifacts: { table: { artifactType: { schemaTitle: "system.Dataset" } } },
      },
    },
    "comp-condition-1": {
      dag: {
        tasks: {
          "for-loop-2": task("for-loop-2", {
            ...parameters({
              "pipelinechannel--prepare-out": { componentInputParameter: "pipelinechannel--prepare-out" },
            }),
            parameterIterator: { itemInput: "item", items: { inputParameter: "pipelinechannel--prepare-out" } },
          }),
        },
      },
    },
    "comp-for-loop-2": {
      dag: {
        tasks: {
          train: task("train", {
            ...parameters({
              word: { componentInputParameter: "pipelinechannel--prepare-out" },
              rate: { componentInputParameter: "item", parameterExpressionSelector: 'parseJson(string_value)["rate"]' },
            }),
          }),
          again: task("train"),
        },
      },
    },
    "comp-train": { executorLabel: "exec-train" },
    "comp-notify": {
      executorLabel: "exec-train",
      inputDefinitions: { parameters: { status: { parameterType: "TASK_FINAL_STATUS" } } },
    },
    "comp-bring": { executorLabel: "exec-bring" },
  },
  deploymentSpec: {
    executors: {
      "exec-prepare": { container: { image: "python:3.12", command: ["sh", "-c"], args: ["echo"] } },
      "exec-train": { container: { image: "train:1" } },
      "exec-bring": { importer: { artifactUri: { constant: "s3://b/data.csv" } } },
    },
  },
} as unknown as PipelineSpec;

function output(producerTask: string, outputParameterKey: string): Json {
  return { taskOutputParameter: { producerTask, outputParameterKey } };
}

it("says what runs, what it takes and gives, and how often it is tried", () => {
  expect(plannedTask(SPEC, "prepare")).toEqual({
    name: "prepare",
    component: "comp-prepare",
    image: "python:3.12",
    command: ["sh", "-c", "echo"],
    imported: undefined,
    inputs: [
      { name: "rows", type: "whole number", origin: { words: "the pipeline's input rows" } },
      { name: "kind", type: "text", origin: { words: 'always "small"' } },
      { name: "seed", type: "whole number", origin: { words: "its default 7" } },
      { name: "extra", type: "Dataset", origin: { words: "left out" } },
    ],
    outputs: [
      { name: "out", type: "text" },
      { name: "table", type: "Dataset" },
    ],
    conditions: [],
    after: [],
    isAlways: false,
    isCached: true,
    retries: "up to 3 times, the first after 30s, then 2 times as long each time, 3600s at most",
  });
});

it("follows values through the groups around a task", () => {
  const train = plannedTask(SPEC, "condition-1/for-loop-2[*]/train");
  expect(train?.inputs.map(({ name, origin }) => [name, origin])).toEqual([
    ["word", { words: "prepare · out", path: "prepare" }],
    ["rate", { words: '["rate"] of each of prepare · out', path: "prepare" }],
  ]);
  expect(train?.conditions).toEqual(["prepare-out == 'go'"]);
  expect(train?.isCached).toBe(false);
});

it("says what else it waits for, and how groups, exit tasks and imports stand", () => {
  const notify = plannedTask(SPEC, "notify");
  expect(notify?.inputs[0]?.origin).toEqual({ words: "how condition-1 ended", path: "condition-1" });
  expect([notify?.after, notify?.isAlways]).toEqual([[{ words: "prepare", path: "prepare" }], true]);
  expect(notify?.inputs[0]?.type).toBe("final status");
  expect(plannedTask(SPEC, "condition-1")?.isCached).toBeUndefined();
  expect(plannedTask(SPEC, "bring")?.imported).toBe("s3://b/data.csv");
  for (const path of ["", "nothing", "prepare/more", "__proto__", "condition-1/nothing"]) {
    expect(plannedTask(SPEC, path)).toBeUndefined();
  }
});

it("tells boxes apart by the component, else by the image", () => {
  const note = (component: string, key: string, name = key) =>
    noteOf(SPEC, { component: `comp-${component}`, key, name, form: "task" });
  expect(note("train", "again")).toBe("train");
  expect(note("train", "train")).toBe("train:1");
  expect(note("train", "train", "The training")).toBe("train:1");
  expect(noteOf(SPEC, { component: "comp-condition-1", key: "c", name: "c", form: "condition" })).toBeUndefined();
});
