/** The tasks that a run's duration was made of. */
import type { TreeNode } from "../api/penstock";
import { instant } from "./time";

export interface CriticalPath {
  /** Paths of the tasks and groups on it. */
  nodes: ReadonlySet<string>;
  /** What followed what on it: `from` and `to` by their paths, with a line break between. */
  edges: ReadonlySet<string>;
}

export const edgeName = (from: string, to: string) => `${from}\n${to}`;

/**
 * In each group: what ended last, of what it needed what ended last, and so on to what needed nothing. Only what has ended
 * is looked at, so that of a run that goes on it is the path so far.
 */
export function criticalPath(tree: readonly TreeNode[]): CriticalPath {
  const byNumber = new Map(tree.map((node) => [node.node, node]));
  const below = new Map<number, TreeNode[]>();
  for (const node of tree) {
    if (node.parent !== undefined && ended(node) !== undefined) {
      const siblings = below.get(node.parent) ?? [];
      siblings.push(node);
      below.set(node.parent, siblings);
    }
  }
  const nodes = new Set<string>();
  const edges = new Set<string>();
  const groups = tree.filter((node) => node.parent === undefined || !byNumber.has(node.parent));
  while (groups.length > 0) {
    const group = groups.pop() as TreeNode;
    let at = latest(below.get(group.node) ?? []);
    // Each step leads to what ended before: a circle would have to end before itself.
    while (at !== undefined && !nodes.has(at.path)) {
      nodes.add(at.path);
      groups.push(at);
      const needed = (at.depends_on ?? []).flatMap((number) => byNumber.get(number) ?? []);
      const before = latest(needed.filter((node) => node.status !== "SKIPPED"));
      if (before) {
        edges.add(edgeName(before.path, at.path));
      }
      at = before;
    }
  }
  return { nodes, edges };
}

const ended = (node: TreeNode) => instant(node.ended_at);

/** Of those that have ended, that which ended last. What was skipped took no time. */
function latest(nodes: readonly TreeNode[]): TreeNode | undefined {
  let found: TreeNode | undefined;
  for (const node of nodes) {
    const at = ended(node);
    if (node.status !== "SKIPPED" && at !== undefined && (found === undefined || at > (ended(found) ?? 0))) {
      found = node;
    }
  }
  return found;
}
