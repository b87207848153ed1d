import { useEffect, useState } from "react";
import { Button } from "./Button";

/** Puts a text on the clipboard. */
export function Copy({ text, label = "Copy" }: { text: string; label?: string }) {
  const [done, setDone] = useState<"copied" | "refused">();
  useEffect(() => {
    if (done !== undefined) {
      const timer = setTimeout(() => setDone(undefined), 2000);
      return () => clearTimeout(timer);
    }
  }, [done]);
  const copy = () => {
    // Not there on pages without TLS, but for this machine's own.
    const written = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error("no clipboard"));
    written.then(
      () => setDone("copied"),
      () => setDone("refused"),
    );
  };
  const words = { copied: "Copied", refused: "The browser refuses: select it and copy" };
  return (
    <Button kind="quiet" icon="copy" onClick={copy}>
      <span role="status">{done ? words[done] : label}</span>
    </Button>
  );
}
