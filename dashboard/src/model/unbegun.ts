/** The tasks of groups that have not begun: a run has no nodes for them, its pipeline knows them. */
import type { ComponentSpec, PipelineSpec, TaskKind, TaskSpec, TreeNode } from "../api/penstock";
import { isFinal, standingOf } from "./state";

/** A definition may hold another one many times over, and itself. */
const MOST = 5000;
const DEEPEST = 40;

/** Whether a node is known from the pipeline alone. */
export const isUnbegun = (node: TreeNode) => node.node < 0;

/** The nodes of a run, and behind each group that has nothing in it the tasks that it would have. */
export function withUnbegun(nodes: readonly TreeNode[], spec: PipelineSpec | undefined): readonly TreeNode[] {
  if (!spec) {
    return nodes;
  }
  const parents = new Set(nodes.map((node) => node.parent));
  let count = 0;
  const within = (group: TreeNode, depth: number): TreeNode[] => {
    const tasks = Object.entries(spec.components?.[group.component]?.dag?.tasks ?? {});
    return tasks.flatMap(([key, task]) => {
      if (count >= MOST) {
        return [];
      }
      count += 1;
      const node = unbegun(-count, key, task, group, spec.components?.[task.componentRef?.name ?? ""], spec);
      return node.kind === "DAG" && depth < DEEPEST ? [node, ...within(node, depth + 1)] : [node];
    });
  };
  const isEmpty = (node: TreeNode) => node.kind === "DAG" && !parents.has(node.node);
  return nodes.some(isEmpty) ? nodes.flatMap((node) => (isEmpty(node) ? [node, ...within(node, 0)] : [node])) : nodes;
}

function unbegun(
  number: number,
  key: string,
  task: TaskSpec,
  group: TreeNode,
  component: ComponentSpec | undefined,
  spec: PipelineSpec,
): TreeNode {
  const path = `${group.path}/${key}`;
  return {
    ...{ node: number, parent: group.node, key, name: task.taskInfo?.name ?? key, path, task_id: path },
    ...{ kind: kindOf(task, component, spec), component: task.componentRef?.name ?? "" },
    ...(isFinal(standingOf(group.status))
      ? { status: "SKIPPED", phase: "ENDED", skipped: { reason: reasonOf(group), task: group.name } }
      : { status: "PENDING", phase: "WAITING" }),
  };
}

const reasonOf = (group: TreeNode) => (group.status === "SKIPPED" ? "UPSTREAM" : "UPSTREAM_FAILED");

function kindOf(task: TaskSpec, component: ComponentSpec | undefined, spec: PipelineSpec): TaskKind {
  if (task.parameterIterator || task.artifactIterator) {
    return "LOOP";
  }
  if (component?.dag) {
    return "DAG";
  }
  return spec.deploymentSpec?.executors?.[component?.executorLabel ?? ""]?.importer ? "IMPORTER" : "CONTAINER";
}
