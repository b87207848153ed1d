import { type ComponentType, lazy } from "react";

/** How long to wait before a part that did not arrive is asked for again. */
const WAITS_MS: readonly number[] = [300, 1_000, 2_500];

/** A part of the pages that is loaded when it is asked for. Connections break: what did not arrive is asked for again. */
// biome-ignore lint/suspicious/noExplicitAny: whatever a component takes
export function part<C extends ComponentType<any>>(load: () => Promise<{ default: C }>) {
  return lazy(() => patiently(load, WAITS_MS));
}

/** What `load` brings, which is asked as often as there are waits, and once more. */
export async function patiently<T>(load: () => Promise<T>, waits: readonly number[]): Promise<T> {
  for (const wait of waits) {
    try {
      return await load();
    } catch {
      await new Promise((later) => setTimeout(later, wait));
    }
  }
  return load();
}
