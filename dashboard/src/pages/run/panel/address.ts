import { useCallback } from "react";
import { useAddressQuery } from "../../../app/query";

/** A word of the address that the panel keeps there, so that reloading and sharing keep it. */
export function useWord(name: string): [string | undefined, (word: string | undefined) => void] {
  const [query, setQuery] = useAddressQuery();
  const set = useCallback(
    (word: string | undefined) =>
      setQuery(
        (before) => {
          const after = new URLSearchParams(before);
          if (word === undefined) {
            after.delete(name);
          } else {
            after.set(name, word);
          }
          return after;
        },
        { replace: true },
      ),
    [name, setQuery],
  );
  return [query.get(name) ?? undefined, set];
}
