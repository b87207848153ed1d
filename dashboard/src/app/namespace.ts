import { useSyncExternalStore } from "react";

const KEY = "penstock.namespace";
const listeners = new Set<() => void>();

function chosen(): string {
  return localStorage.getItem(KEY) ?? "";
}

/** Shows what is in a namespace from now on, in this browser. Empty where there are none. */
export function setNamespace(name: string): void {
  localStorage.setItem(KEY, name);
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
