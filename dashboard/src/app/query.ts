import { startTransition, useCallback, useMemo, useOptimistic } from "react";
import { useLocation, useNavigate } from "react-router";

type Values = URLSearchParams | Record<string, string>;

/** Path and query of the address as it is at this moment, which may be later than what is drawn. */
function current(): { path: string; query: URLSearchParams } {
  const [path = "", ...query] = window.location.hash.slice(1).split("?");
  return { path: path || "/", query: new URLSearchParams(query.join("?")) };
}

/**
 * The query of the address, and how to change it. Changes that follow each other before the page is drawn again build on
 * each other. Whoever makes one sees it at once: the router may take a while, in which a box that was ticked would be
 * drawn empty.
 */
export function useAddressQuery(): [
  URLSearchParams,
  (next: Values | ((before: URLSearchParams) => Values), options?: { replace?: boolean }) => void,
] {
  const { pathname, search } = useLocation();
  const navigate = useNavigate();
  const [foreseen, foresee] = useOptimistic(search);
  const query = useMemo(() => new URLSearchParams(foreseen), [foreseen]);
  const change = useCallback(
    (next: Values | ((before: URLSearchParams) => Values), options: { replace?: boolean } = {}) => {
      const now = current();
      // Of a page that was left a moment ago: what comes late must not lead back to it.
      if (now.path !== pathname) {
        return;
      }
      const after = new URLSearchParams(typeof next === "function" ? next(now.query) : next);
      const search = after.toString();
      startTransition(() => {
        foresee(search && `?${search}`);
        void navigate({ search }, options);
      });
    },
    [navigate, foresee, pathname],
  );
  return [query, change];
}

/** The query, and how to put words into it in place of what is there; those that are empty or absent are taken out. */
export function useAddressWords(): [URLSearchParams, (words: Record<string, string | undefined>) => void] {
  const [query, change] = useAddressQuery();
  const put = useCallback(
    (words: Record<string, string | undefined>) =>
      change(
        (before) => {
          const after = new URLSearchParams(before);
          for (const [name, word] of Object.entries(words)) {
            if (word) {
              after.set(name, word);
            } else {
              after.delete(name);
            }
          }
          return after;
        },
        { replace: true },
      ),
    [change],
  );
  return [query, put];
}
