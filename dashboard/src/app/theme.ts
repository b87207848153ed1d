import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";

const KEY = "penstock.theme";
const listeners = new Set<() => void>();

function stored(): Theme {
  const word = localStorage.getItem(KEY);
  return word === "light" || word === "dark" ? word : "system";
}

/** Shows the pages in a theme from now on, in this browser. */
export function setTheme(theme: Theme): void {
  localStorage.setItem(KEY, theme);
  applyTheme();
  for (const listener of listeners) {
    listener();
  }
}

/** Brings the document into the theme that was chosen. */
export function applyTheme(): void {
  const theme = stored();
  if (theme === "system") {
    delete document.documentElement.dataset.theme;
  } else {
    document.documentElement.dataset.theme = theme;
  }
}

export function useTheme(): Theme {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, stored);
}
