/** Times as people read them. All are pure: now is passed in. */

/** A time of the API in milliseconds; undefined where the API says that there is none. */
export function instant(text: string | null | undefined): number | undefined {
  if (!text) {
    return undefined;
  }
  const at = Date.parse(text);
  // KFP says the epoch, or the year 1, for what has not happened.
  return Number.isNaN(at) || at <= 0 ? undefined : at;
}

/** `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function duration(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < 950) {
    return ms < 10 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 100 ? 2 : 1)} s`;
  }
  if (ms < 9_950) {
    return `${(ms / 1000).toFixed(1)} s`;
  }
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) {
    return `${seconds} s`;
  }
  return compound(seconds);
}

/** The same of what is known to the second. */
export function wholeSeconds(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  return seconds < 1 ? "< 1 s" : seconds < 60 ? `${seconds} s` : compound(seconds);
}

function compound(seconds: number): string {
  const units: [number, string][] = [
    [86_400, "d"],
    [3_600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const first = units.findIndex(([size]) => seconds >= size);
  const words: string[] = [];
  let rest = seconds;
  for (const [size, word] of units.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) {
      words.push(`${count} ${word}`);
    }
  }
  return words.join(" ");
}

/** `just now`, `5 min ago`, `in 2 h`. */
export function ago(at: number, now: number): string {
  const distance = Math.abs(now - at);
  if (distance < 45_000) {
    return now >= at ? "just now" : "in a moment";
  }
  const steps: [number, number, string][] = [
    [60_000, 3_600_000, "min"],
    [3_600_000, 86_400_000, "h"],
    [86_400_000, Number.POSITIVE_INFINITY, "d"],
  ];
  const [size, , word] = steps.find(([, until]) => distance < until) ?? [86_400_000, 0, "d"];
  const words = `${Math.max(1, Math.round(distance / size))} ${word}`;
  return now >= at ? `${words} ago` : `in ${words}`;
}

const LOCAL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const SHORT = new Intl.DateTimeFormat(undefined, {
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
});
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** In the zone of the browser. */
export function local(at: number): string {
  return LOCAL.format(at);
}

export function short(at: number): string {
  return SHORT.format(at);
}

export function clock(at: number): string {
  return CLOCK.format(at);
}

/** `2026-08-01 10:00:00 UTC`. */
export function utc(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
