import { useMemo, useRef, useState } from "react";
import { useShortcuts } from "../../../app/keys";

/**
 * Moves through a list by j and k, and opens what one is at by Enter. While something is open, moving opens the next.
 * Gives the path that one is at.
 */
export function useListKeys(
  paths: readonly string[],
  selected: string | undefined,
  select: (path: string) => void,
  show: (index: number) => void,
): string | undefined {
  const [cursor, setCursor] = useState<string>();
  const here = selected ?? cursor;
  const latest = useRef(show);
  latest.current = show;
  useShortcuts(
    useMemo(() => {
      const move = (step: number) => {
        const at = here === undefined ? -1 : paths.indexOf(here);
        const index = Math.min(paths.length - 1, Math.max(0, at + step));
        const next = paths[index];
        if (next === undefined) {
          return;
        }
        latest.current(index);
        setCursor(next);
        if (selected !== undefined) {
          select(next);
        }
      };
      return [
        { keys: "j", label: "Next task", perform: () => move(1) },
        { keys: "k", label: "Previous task", perform: () => move(-1) },
        { keys: "Enter", label: "Open the task", perform: () => here !== undefined && select(here) },
      ];
    }, [paths, here, selected, select]),
  );
  return here;
}
