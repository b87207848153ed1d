import { createContext, useContext } from "react";
import type { Run } from "../../api/kfp";
import type { RunRecord, Spec, Tree, TreeNode } from "../../api/penstock";
import { useAddressQuery } from "../../app/query";

/** A run as the views of its page share it. */
export interface RunView {
  runId: string;
  run: Run;
  record: RunRecord | undefined;
  spec: Spec | undefined;
  tree: Tree;
  byNumber: ReadonlyMap<number, TreeNode>;
  byPath: ReadonlyMap<string, TreeNode>;
  /** The instant that is looked at, in milliseconds; undefined while it is now. */
  instant: number | undefined;
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
