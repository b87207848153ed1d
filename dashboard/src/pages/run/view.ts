import { createContext, useContext } from "react";
import type { Run } from "../../api/kfp";
import type { RunRecord, Spec, Tree, TreeNode } from "../../api/penstock";
import { useAddressQuery } from "../../app/query";
import { choicesIn, withChoices, withIteration } from "../../model/graphOpening";
import { aroundPath, iterationOfPath } from "../../model/graphWords";

/** A run as the views of its page share it. */
export interface RunView {
  runId: string;
  run: Run;
  record: RunRecord | undefined;
  spec: Spec | undefined;
  /** As it is looked at: now, or as it was. */
  tree: Tree;
  /** As it is. */
  present: Tree;
  byNumber: ReadonlyMap<number, TreeNode>;
  byPath: ReadonlyMap<string, TreeNode>;
  /** The instant that is looked at, in milliseconds; undefined while it is now. */
  instant: number | undefined;
  /** The number of the last event until that instant; undefined while it is now. */
  past: number | undefined;
  setInstant: (at: number | undefined) => void;
}

export const RunViewContext = createContext<RunView | undefined>(undefined);

export function useRunView(): RunView {
  const view = useContext(RunViewContext);
  if (!view) {
    throw new Error("a view of a run outside a run's page");
  }
  return view;
}

/** What of a tree is asked for, so that it is as it is looked at. */
export const asLooked = (past: number | undefined) => (past === undefined ? {} : { at: past });

/** The task that all views show as chosen, by its path; kept in the address. */
export function useSelection(): { selected: string | undefined; select: (path: string | undefined) => void } {
  const [query, setQuery] = useAddressQuery();
  return {
    selected: query.get("task") ?? undefined,
    select: (path) =>
      setQuery(
        (before) => {
          const after = new URLSearchParams(before);
          if (path === undefined) {
            after.delete("task");
          } else {
            after.set("task", path);
          }
          return after;
        },
        { replace: true },
      ),
  };
}

/** The address with a task chosen that may be in loops: their iterations with it are those that the graph shows. */
export function showing(before: URLSearchParams, path: string): URLSearchParams {
  const choices = aroundPath(path).iterations.reduce((chosen, each) => {
    const found = iterationOfPath(each);
    return found ? withIteration(chosen, found.loop, found.index) : chosen;
  }, choicesIn(before));
  const after = withChoices(before, choices);
  after.set("task", path);
  after.delete("tab");
  after.delete("attempt");
  return after;
}
