import { useEffect, useRef, useState } from "react";
import { Button } from "../../../design/Button";
import { clock, duration } from "../../../model/time";
import type { Window } from "../../../model/timeline";
import style from "./Timeline.module.css";

const STEPS = 1000;
/** How long the whole run takes when it is played. */
const PLAYED_MS = 20_000;
const FRAME_MS = 100;

/** Chooses the instant that all views of the run show it at. */
export function Scrubber({
  span,
  instant,
  isOver,
  onInstant,
}: {
  span: Window;
  instant: number | undefined;
  /** The run has ended. */
  isOver: boolean;
  onInstant: (at: number | undefined) => void;
}) {
  const [isPlaying, setPlaying] = useState(false);
  const length = span.to - span.from;
  const at = instant ?? span.to;
  const latest = useRef({ at, span, onInstant });
  latest.current = { at, span, onInstant };
  useEffect(() => {
    if (!isPlaying) {
      return;
    }
    const timer = window.setInterval(() => {
      const { at, span, onInstant } = latest.current;
      const next = at + ((span.to - span.from) * FRAME_MS) / PLAYED_MS;
      onInstant(next < span.to ? next : undefined);
      if (next >= span.to) {
        setPlaying(false);
      }
    }, FRAME_MS);
    return () => window.clearInterval(timer);
  }, [isPlaying]);
  const play = () => {
    if (!isPlaying && instant === undefined) {
      onInstant(span.from);
    }
    setPlaying(!isPlaying);
  };
  const slide = (step: number) => {
    setPlaying(false);
    onInstant(step >= STEPS ? undefined : span.from + (step / STEPS) * length);
  };
  const now = isOver ? "the end" : "now";
  const words = instant === undefined ? now : `${clock(at)}, ${duration(at - span.from)} after the start`;
  return (
    <div className={style.scrubber} data-past={instant !== undefined || undefined}>
      <Button icon={isPlaying ? "pause" : "play"} label={isPlaying ? "Pause" : "Play the run"} onClick={play} />
      <input
        type="range"
        aria-label="Instant that is shown"
        aria-valuetext={words}
        min={0}
        max={STEPS}
        value={length > 0 ? Math.round(((at - span.from) / length) * STEPS) : STEPS}
        onChange={(event) => slide(Number(event.target.value))}
      />
      <span className={`number small ${style.instant}`}>
        {instant === undefined ? `As it is: ${now}` : `As it was at ${words}`}
      </span>
    </div>
  );
}
