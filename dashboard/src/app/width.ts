import { useSyncExternalStore } from "react";

const NARROW = "(max-width: 64rem)";

/** Whether there is room for what matters most alone. */
export function useIsNarrow(): boolean {
  return useSyncExternalStore(
    (changed) => {
      const query = window.matchMedia(NARROW);
      query.addEventListener("change", changed);
      return () => query.removeEventListener("change", changed);
    },
    () => window.matchMedia(NARROW).matches,
  );
}
