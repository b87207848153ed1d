import { useSyncExternalStore } from "react";
import { ago, duration, instant, local, short, utc, wholeSeconds } from "../model/time";

// One clock for all that counts on the page.
const listeners = new Set<() => void>();
let now = Date.now();
let timer: number | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    timer = window.setInterval(() => {
      now = Date.now();
      for (const each of listeners) {
        each();
      }
    }, 1000);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      window.clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The time, to the second, for what is shown. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

/** A time: local, with UTC and the distance on hover. */
export function Moment({ at, form = "short" }: { at: string | null | undefined; form?: "short" | "full" | "ago" }) {
  const now = useNow();
  const time = instant(at);
  if (time === undefined) {
    return <span className="soft">–</span>;
  }
  const words = { short: short(time), full: local(time), ago: ago(time, now) }[form];
  return (
    <time dateTime={new Date(time).toISOString()} title={`${local(time)} · ${utc(time)} · ${ago(time, now)}`}>
      {words}
    </time>
  );
}

/** How long something took, or has taken so far. KFP's times are whole seconds: what comes of them is `isCoarse`. */
export function Duration({
  from,
  to,
  isCoarse = false,
}: {
  from: string | null | undefined;
  to: string | null | undefined;
  isCoarse?: boolean;
}) {
  const started = instant(from);
  const ended = instant(to);
  if (started === undefined) {
    return <span className="soft">–</span>;
  }
  if (ended === undefined) {
    return <Counting from={started} />;
  }
  return <span className="number">{(isCoarse ? wholeSeconds : duration)(ended - started)}</span>;
}

function Counting({ from }: { from: number }) {
  const now = useNow();
  return <span className="number">{wholeSeconds(now - from)}</span>;
}
