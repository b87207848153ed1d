/** A schedule that is being written, and what comes of it. */
import type { Trigger } from "../api/kfp";

export interface Timing {
  kind: "interval" | "cron" | "once";
  /** How many of the unit. */
  count: string;
  unit: number;
  cron: string;
  /** `2026-08-01T10:00` in the zone of the browser. */
  start: string;
  end: string;
}

export const UNITS: readonly [number, string][] = [
  [60, "minutes"],
  [3_600, "hours"],
  [86_400, "days"],
  [604_800, "weeks"],
];

export const FIRST_TIMING: Timing = {
  kind: "cron",
  count: "1",
  unit: 86_400,
  cron: "0 0 9 * * 1-5",
  start: "",
  end: "",
};

/** The trigger, or what is wrong with it. Whether cron is right is for the server to say. */
export function triggerOf(timing: Timing): { trigger: Trigger } | { reason: string } {
  const bounds = {
    ...(timing.start && { start_time: new Date(timing.start).toISOString() }),
    ...(timing.end && { end_time: new Date(timing.end).toISOString() }),
  };
  if (timing.start && timing.end && timing.end <= timing.start) {
    return { reason: "The end must come after the start" };
  }
  switch (timing.kind) {
    case "once":
      return { trigger: {} };
    case "cron":
      return timing.cron.trim() === ""
        ? { reason: "Six fields: second minute hour day-of-month month day-of-week" }
        : { trigger: { cron_schedule: { cron: timing.cron.trim(), ...bounds } } };
    case "interval": {
      const count = Number(timing.count);
      return Number.isInteger(count) && count > 0
        ? { trigger: { periodic_schedule: { interval_second: String(count * timing.unit), ...bounds } } }
        : { reason: "A whole number above zero" };
    }
  }
}

/** The timing that a trigger came of. */
export function timingOf(trigger: Trigger): Timing {
  const bounds = trigger.cron_schedule ?? trigger.periodic_schedule ?? {};
  const shared = { ...FIRST_TIMING, start: inputOf(bounds.start_time), end: inputOf(bounds.end_time) };
  if (trigger.cron_schedule) {
    return { ...shared, kind: "cron", cron: trigger.cron_schedule.cron ?? "" };
  }
  const seconds = Number(trigger.periodic_schedule?.interval_second ?? 0);
  if (seconds <= 0) {
    return { ...shared, kind: "once" };
  }
  const [unit] = [...UNITS].reverse().find(([size]) => seconds % size === 0) ?? [1];
  return { ...shared, kind: "interval", count: String(seconds / unit), unit };
}

/** A time as an input of the browser takes it: local, to the minute. */
function inputOf(time: string | undefined): string {
  const at = time ? Date.parse(time) : Number.NaN;
  if (Number.isNaN(at) || at <= 0) {
    return "";
  }
  const date = new Date(at);
  return new Date(at - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
