import { createContext, useContext } from "react";
import type { TreeNode } from "../../../api/penstock";
import type { Item } from "../../../model/graph";
import type { Distance } from "../../../model/graphSight";

/** What all boxes of a graph share. */
export interface GraphState {
  selected: string | undefined;
  /** The box that keys start from. */
  focused: string | undefined;
  /** Boxes that a search found. */
  found: ReadonlySet<string>;
  critical: ReadonlySet<string> | undefined;
  /** The instant that is looked at; undefined while it is now. */
  at: number | undefined;
  /** How far off boxes are. */
  distance: Distance;
  select: (item: Item) => void;
  toggle: (item: Item) => void;
  /** Lets somebody choose an iteration of a loop that has begun. */
  pick: ((item: Item) => void) | undefined;
  focus: (path: string) => void;
  /** Whether the focus is in the graph, so that it may follow keys. */
  hasFocus: () => boolean;
}

export const GraphContext = createContext<GraphState | undefined>(undefined);

export function useGraph(): GraphState {
  const state = useContext(GraphContext);
  if (!state) {
    throw new Error("a box outside a graph");
  }
  return state;
}

/** What a box is drawn from. Nodes of a run are absent before it, and for what has not begun. */
export interface BoxData extends Record<string, unknown> {
  item: Item;
  node: TreeNode | undefined;
  around: TreeNode | undefined;
  /** What there is to say of it before a run. */
  note?: string | undefined;
}
