import { useSyncExternalStore } from "react";

const KEY = "penstock.namespace";
/** As Kubeflow's central dashboard hands a namespace to the pages that it frames. */
const PARAMETER = "ns";
const listeners = new Set<() => void>();

/** The namespace that an address names, else the one that was chosen in this browser. */
function chosen(): string {
  return new URLSearchParams(location.search).get(PARAMETER) || (localStorage.getItem(KEY) ?? "");
}

/** Shows what is in a namespace from now on, in this browser. Empty where there are none. */
export function setNamespace(name: string): void {
  localStorage.setItem(KEY, name);
  const address = new URL(location.href);
  if (address.searchParams.has(PARAMETER)) {
    address.searchParams.set(PARAMETER, name);
    history.replaceState(history.state, "", address);
  }
  for (const listener of listeners) {
    listener();
  }
}

export function useNamespace(): string {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, chosen);
}
