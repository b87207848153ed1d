/** Nodes of a run for tests. */
import type { TreeNode } from "../api/penstock";

/** A task that succeeded below the root, which is number 0, but for what is said. */
export function node(number: number, more: Partial<TreeNode> = {}): TreeNode {
  const name = `n${number}`;
  return {
    ...{ node: number, key: name, name, path: name, task_id: name, kind: "CONTAINER", component: "comp" },
    ...{ status: "SUCCEEDED", phase: "ENDED" },
    ...(number === 0 ? { kind: "ROOT" as const } : { parent: 0 }),
    ...more,
  };
}
