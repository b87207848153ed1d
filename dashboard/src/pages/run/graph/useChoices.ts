import { useCallback, useMemo } from "react";
import { useAddressQuery } from "../../../app/query";
import { type Choices, choicesIn, withChoices } from "../../../model/graphOpening";

/** What somebody opened and closed in a graph; kept in the address. */
export function useChoices(): {
  choices: Choices;
  /** With what is to be selected from now on, where that changes too. */
  choose: (choices: Choices, selected?: string) => void;
} {
  const [query, setQuery] = useAddressQuery();
  const [open, flip, iterations] = [query.get("open"), query.get("flip"), query.get("iterations")];
  const choices = useMemo(() => {
    const own = new URLSearchParams();
    for (const [name, value] of Object.entries({ open, flip, iterations })) {
      if (value !== null) {
        own.set(name, value);
      }
    }
    return choicesIn(own);
  }, [open, flip, iterations]);
  const choose = useCallback(
    (next: Choices, selected?: string) =>
      setQuery(
        (before) => {
          const after = withChoices(before, next);
          if (selected !== undefined) {
            after.set("task", selected);
          }
          return after;
        },
        { replace: true },
      ),
    [setQuery],
  );
  return { choices, choose };
}
