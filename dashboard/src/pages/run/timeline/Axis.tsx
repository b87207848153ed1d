import type { KeyboardEvent } from "react";
import { clock } from "../../../model/time";
import { moved, stepOf, ticks, tickWords, type Window, zoomed } from "../../../model/timeline";
import style from "./Timeline.module.css";

/** Pixels that a word of the axis needs. */
const ROOM = 90;

/** Time from the start of the run. Keys move and zoom it. */
export function Axis({
  span,
  window,
  width,
  onWindow,
}: {
  span: Window;
  window: Window;
  width: number;
  onWindow: (window: Window | undefined) => void;
}) {
  const length = window.to - window.from;
  const step = stepOf(window, width / ROOM);
  const pressed = (event: KeyboardEvent) => {
    const middle = (window.from + window.to) / 2;
    const next = (): Window | undefined | false => {
      switch (event.key) {
        case "ArrowLeft":
          return moved(window, span, -length / 10);
        case "ArrowRight":
          return moved(window, span, length / 10);
        case "+":
        case "=":
          return zoomed(window, span, 0.5, middle);
        case "-":
          return zoomed(window, span, 2, middle);
        case "0":
          return undefined;
        default:
          return false;
      }
    };
    const shown = next();
    if (shown !== false) {
      event.preventDefault();
      onWindow(shown);
    }
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: it is not a form
    <div
      className={style.axis}
      role="group"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: keys move what has the focus
      tabIndex={0}
      onKeyDown={pressed}
      aria-label={`Time axis from ${clock(window.from)} to ${clock(window.to)}. Arrow keys move it, plus and minus zoom, 0 shows all.`}
    >
      {ticks(window, span.from, step).map((at) => (
        <span
          key={at}
          className={style.tick}
          style={{ left: `${((at - window.from) / Math.max(1, length)) * 100}%` }}
          title={clock(at)}
        >
          {tickWords(at - span.from, step)}
        </span>
      ))}
    </div>
  );
}
