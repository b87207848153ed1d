import { type KeyboardEvent, type RefObject, useEffect, useState } from "react";
import { Button } from "../../../design/Button";
import button from "../../../design/Button.module.css";
import style from "./Log.module.css";
import type { Found } from "./protocol";
import type { Sought } from "./Row";

const PAUSE_MS = 200;

/** Words to look for, how many lines have them, and the way from one to the next. */
export function SearchBar({
  input,
  sought,
  found,
  place,
  onSearch,
  onSeek,
}: {
  input: RefObject<HTMLInputElement | null>;
  sought: Sought | undefined;
  found: Found | undefined;
  place: number | undefined;
  onSearch: (sought: Sought | undefined) => void;
  onSeek: (step: 1 | -1) => void;
}) {
  const [words, setWords] = useState("");
  const [exact, setExact] = useState(false);
  useEffect(() => {
    const timer = window.setTimeout(() => onSearch(words === "" ? undefined : { words, exact }), PAUSE_MS);
    return () => window.clearTimeout(timer);
  }, [words, exact, onSearch]);
  const pressed = (event: KeyboardEvent) => {
    if (event.key === "Enter") {
      event.preventDefault();
      onSeek(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape" && words !== "") {
      event.stopPropagation();
      setWords("");
    }
  };
  const none = !found || found.count === 0;
  return (
    // biome-ignore lint/a11y/useSemanticElements: there is nothing to submit
    <div className={style.search} role="search">
      <input
        ref={input}
        className="input"
        type="search"
        placeholder="Search the log"
        aria-label="Search the log"
        value={words}
        onChange={(event) => setWords(event.target.value)}
        onKeyDown={pressed}
      />
      <button
        type="button"
        className={`${button.button} ${style.toggle}`}
        data-kind="quiet"
        data-bare
        aria-pressed={exact}
        aria-label="Match case"
        title="Match case"
        onClick={() => setExact(!exact)}
      >
        Aa
      </button>
      <Button kind="quiet" icon="up" label="Previous hit (Shift+Enter)" disabled={none} onClick={() => onSeek(-1)} />
      <Button kind="quiet" icon="down" label="Next hit (Enter)" disabled={none} onClick={() => onSeek(1)} />
      <span className={style.count} role="status">
        {sought && hits(found, place)}
      </span>
    </div>
  );
}

function hits(found: Found | undefined, place: number | undefined): string {
  if (!found) {
    return "…";
  }
  const count = found.count.toLocaleString("en");
  const more = found.isDone ? "" : "…";
  if (found.count === 0) {
    return found.isDone ? "no line" : "…";
  }
  return place === undefined
    ? `${count}${more} ${found.count === 1 ? "line" : "lines"}`
    : `${(place + 1).toLocaleString("en")} of ${count}${more}`;
}
