import { useQueries } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef } from "react";
import type { TreeNode } from "../../../api/penstock";
import { taskQuery } from "../../../api/runs";
import { useAddressWords } from "../../../app/query";
import { aroundPath } from "../../../model/graphWords";
import { useRunView, useSelection } from "../view";

/**
 * Which groups are otherwise than they are at first, in the table and along time: loops and iterations that were opened,
 * other groups that were closed. Kept in the address. What is chosen in a loop opens it.
 */
export function useOpened(): [ReadonlySet<number>, (node: TreeNode) => void] {
  const [query, change] = useAddressWords();
  const word = query.get("rows") ?? "";
  const toggled = useMemo(() => numbersIn(word), [word]);
  const set = useCallback((numbers: ReadonlySet<number>) => change({ rows: [...numbers].join(",") }), [change]);
  const around = useAroundChosen();
  const revealed = useRef("");
  useEffect(() => {
    const name = around.join(",");
    if (name !== "" && name !== revealed.current) {
      // Once: it may be closed again.
      revealed.current = name;
      if (!around.every((number) => toggled.has(number))) {
        set(new Set([...toggled, ...around]));
      }
    }
  }, [around, toggled, set]);
  const toggle = (node: TreeNode) => {
    const after = new Set(toggled);
    if (!after.delete(node.node)) {
      after.add(node.node);
    }
    set(after);
  };
  return [toggled, toggle];
}

export function numbersIn(word: string): Set<number> {
  const numbers = word.split(",").filter((it) => /^\d{1,9}$/.test(it));
  return new Set(numbers.map(Number));
}

const NONE: number[] = [];

/** The numbers of the loops and iterations that what is chosen is in. */
function useAroundChosen(): number[] {
  const { runId } = useRunView();
  const { selected = "" } = useSelection();
  const iterations = useMemo(() => {
    // An iteration may be the task itself.
    return aroundPath(selected).iterations.filter((path) => path !== selected);
  }, [selected]);
  return useQueries({
    queries: iterations.map((path) => taskQuery(runId, path)),
    combine: (results) => {
      const found = results.flatMap(({ data }) => (data ? [data.parent ?? 0, data.node] : []));
      return results.length === 0 || found.length < 2 * results.length ? NONE : found;
    },
  });
}
