/** Asks before a page is left on which something was typed. */
import { useContext, useEffect, useRef, useState } from "react";
import { UNSAFE_NavigationContext as NavigationContext, parsePath, type To } from "react-router";

/** Which form an address is of: one of a clone is another one, and so is a page that is edited. Undefined where a move leaves the path as it is. */
function formOf(target: To): string | undefined {
  const { pathname, search } = typeof target === "string" ? parsePath(target.replace(/^#/, "")) : target;
  const query = new URLSearchParams(search);
  const words = [query.get("cloneFromRun") ?? query.get("cloneFromRunId"), query.get("edit")];
  return pathname && [pathname, ...words.map((word) => word ?? "")].join(" ");
}

/**
 * Holds up whatever leads to another page (links, keys, the browser's Back, a typed address) while something is unsaved.
 * `held` goes there all the same. The router of addresses in the hash has no blocking of its own.
 */
export function useLeaving(isUnsaved: boolean) {
  const { navigator } = useContext(NavigationContext);
  const [held, setHeld] = useState<() => void>();
  const isFree = useRef(false);
  useEffect(() => {
    if (!isUnsaved) {
      return;
    }
    const here = formOf(window.location.hash);
    const own = { push: navigator.push, replace: navigator.replace };
    const guard =
      (move: typeof own.push): typeof own.push =>
      (target: To, ...rest) => {
        const form = formOf(target);
        if (isFree.current || form === undefined || form === here) {
          move(target, ...rest);
        } else {
          setHeld(() => () => move(target, ...rest));
        }
      };
    navigator.push = guard(own.push);
    navigator.replace = guard(own.replace);
    // Back, and an address that is typed. Browsers without this event go, and find what was typed when they come again.
    const asked = (event: NavigateEvent) => {
      const { key, url } = event.destination;
      const address = new URL(url).hash;
      const isForeign = event.navigationType === "traverse" || event.hashChange;
      if (isForeign && event.cancelable && !isFree.current && formOf(address) !== here) {
        event.preventDefault();
        setHeld(() => () => (key ? void window.navigation.traverseTo(key) : own.push(address.slice(1))));
      }
    };
    const unloaded = (event: BeforeUnloadEvent) => event.preventDefault();
    window.navigation?.addEventListener("navigate", asked);
    window.addEventListener("beforeunload", unloaded);
    return () => {
      Object.assign(navigator, own);
      window.navigation?.removeEventListener("navigate", asked);
      window.removeEventListener("beforeunload", unloaded);
    };
  }, [isUnsaved, navigator]);
  return {
    held,
    stay: () => setHeld(undefined),
    /** From now on nothing is held up. */
    letGo: () => {
      isFree.current = true;
    },
  };
}
