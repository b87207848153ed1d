import { useEffect } from "react";

/** What keys do, wherever one is. Pages add their own. */
export interface Shortcut {
  /** As `event.key` says it, or two of them one after the other: `g r`. */
  keys: string;
  label: string;
  perform: () => void;
}

const PAUSE_MS = 1200;

/** Controls that look like inputs to the browser, and that nobody types into. */
const UNTYPED = ["button", "checkbox", "radio", "range", "submit"];

function isTyping(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement && UNTYPED.includes(target.type)) {
    return false;
  }
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName))
  );
}

/** Answers keys while the component is there, but not while somebody types. */
export function useShortcuts(shortcuts: readonly Shortcut[]): void {
  useEffect(() => {
    let before = "";
    let at = 0;
    const answer = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || event.defaultPrevented) {
        return;
      }
      // What has the focus answers Enter itself.
      if (event.key === "Enter" && event.target instanceof Element && event.target.closest("a, button, summary")) {
        return;
      }
      // In a dialog keys are the dialog's.
      if (document.querySelector("dialog[open]")) {
        return;
      }
      const pair = event.timeStamp - at < PAUSE_MS ? `${before} ${event.key}` : "";
      const found = shortcuts.find((it) => it.keys === pair) ?? shortcuts.find((it) => it.keys === event.key);
      before = event.key;
      at = event.timeStamp;
      if (found) {
        event.preventDefault();
        before = "";
        found.perform();
      }
    };
    window.addEventListener("keydown", answer);
    return () => window.removeEventListener("keydown", answer);
  }, [shortcuts]);
}
