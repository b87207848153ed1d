import { useEffect, useState } from "react";
import { Button } from "./Button";

/** Puts text on the clipboard. Pages that were fetched without TLS have no clipboard, but may copy a selection. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.style.position = "fixed";
  area.style.opacity = "0";
  // A dialog keeps the focus within itself.
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  const focused = document.activeElement;
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) {
    focused.focus();
  }
  if (!isDone) {
    throw new Error("the browser refused");
  }
}

/** Copies something, and says that it did. */
export function Copy({
  what,
  text,
  words,
}: {
  what: string;
  text: string | (() => string | Promise<string>);
  words?: string;
}) {
  const [said, setSaid] = useState<string>();
  useEffect(() => {
    const timer = said ? window.setTimeout(() => setSaid(undefined), 2000) : undefined;
    return () => window.clearTimeout(timer);
  }, [said]);
  const copy = async () => {
    try {
      await copyText(typeof text === "string" ? text : await text());
      setSaid("Copied");
    } catch (error) {
      setSaid(error instanceof Error ? `Not copied: ${error.message}` : "Not copied");
    }
  };
  return (
    <>
      {words === undefined ? (
        <Button
          kind="quiet"
          icon={said === "Copied" ? "succeeded" : "copy"}
          label={said ?? `Copy ${what}`}
          onClick={copy}
        />
      ) : (
        <Button kind="quiet" icon={said === "Copied" ? "succeeded" : "copy"} onClick={copy}>
          {said ?? words}
        </Button>
      )}
      <span className="visually-hidden" role="status">
        {said}
      </span>
    </>
  );
}
