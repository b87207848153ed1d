/** Large pipelines, the same every time. */
import type { Inside } from "../src/model/layout";
import { randomGraph } from "../src/model/layout.samples";

type Tasks = Record<string, object>;

/** Tasks of a component that depend on each other as the boxes do. */
function tasksOf({ boxes, edges }: Inside, component: (index: number) => string): Tasks {
  const before = new Map<number, string[]>();
  for (const [from, to] of edges) {
    before.set(to, [...(before.get(to) ?? []), `task-${from}`]);
  }
  return Object.fromEntries(
    boxes.map((_, index) => [
      `task-${index}`,
      {
        componentRef: { name: component(index) },
        taskInfo: { name: `task-${index}` },
        dependentTasks: [...new Set(before.get(index) ?? [])],
      },
    ]),
  );
}

function document(tasks: Tasks, groups: Tasks): string {
  return JSON.stringify({
    schemaVersion: "2.1.0",
    sdkVersion: "kfp-2.17.0",
    pipelineInfo: { name: "large" },
    root: { dag: { tasks } },
    components: { "comp-command": { executorLabel: "exec-command" }, ...groups },
    deploymentSpec: { executors: { "exec-command": { container: { image: "busybox", command: ["true"] } } } },
  });
}

export const flat = (count: number) =>
  document(
    tasksOf(randomGraph(count, 7), () => "comp-command"),
    {},
  );

/** Groups of a hundred tasks each. */
export function grouped(groups: number): string {
  const inner = Array.from({ length: groups }, (_, index) => [
    `comp-group-${index}`,
    { dag: { tasks: tasksOf(randomGraph(100, index + 1, 5), () => "comp-command") } },
  ]);
  return document(
    tasksOf(randomGraph(groups, 3, 5), (index) => `comp-group-${index}`),
    Object.fromEntries(inner),
  );
}

/** A loop of so many items, for none of which there is anything to do. */
export function loop(items: number): string {
  const item = "pipelinechannel--loop-item-param-1";
  const body = {
    dag: {
      tasks: {
        work: {
          componentRef: { name: "comp-command" },
          taskInfo: { name: "work" },
          inputs: { parameters: { [item]: { componentInputParameter: item } } },
          triggerPolicy: { condition: `inputs.parameter_values['${item}'] == 'none'` },
        },
      },
    },
    inputDefinitions: { parameters: { [item]: { parameterType: "STRING" } } },
  };
  const raw = JSON.stringify(Array.from({ length: items }, (_, index) => `item ${index}`));
  const each = {
    componentRef: { name: "comp-for-loop-2" },
    taskInfo: { name: "for-loop-2" },
    parameterIterator: { itemInput: item, items: { raw } },
  };
  return document({ "for-loop-2": each }, { "comp-for-loop-2": body });
}
