/** Schedules in words. The server says when one is due; this only says what was asked for. */
import type { Trigger } from "../api/kfp";

const UNITS: readonly [number, string, string][] = [
  [604_800, "week", "weeks"],
  [86_400, "day", "days"],
  [3_600, "hour", "hours"],
  [60, "minute", "minutes"],
  [1, "second", "seconds"],
];

/** `every 2 hours`. */
export function everyWords(seconds: number): string {
  const [size, one, many] = UNITS.find(([size]) => seconds >= size && seconds % size === 0) ?? [1, "second", "seconds"];
  const count = seconds / size;
  return count === 1 ? `every ${one}` : `every ${count} ${many}`;
}

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** Words for the cron expressions that people use most; for others the expression itself. KFP's has seconds first. */
export function cronWords(cron: string): string {
  const fields = cron.trim().split(/\s+/);
  const [second, minute, hour, dayOfMonth, month, dayOfWeek = "*"] = fields;
  const isNumber = (field: string | undefined): field is string => field !== undefined && /^\d+$/.test(field);
  if (fields.length < 5 || second !== "0" || month !== "*") {
    return cron;
  }
  const anyDay = (field: string | undefined) => field === "*" || field === "?";
  const everyDay = anyDay(dayOfMonth) && anyDay(dayOfWeek);
  const step = minute?.match(/^(?:\*|0)\/(\d+)$/)?.[1];
  if (everyDay && hour === "*" && (minute === "*" || step)) {
    return everyWords(60 * Number(step ?? 1));
  }
  if (everyDay && hour === "*" && isNumber(minute)) {
    return `every hour at minute ${minute}`;
  }
  if (!isNumber(minute) || !isNumber(hour)) {
    return cron;
  }
  const time = `${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`;
  if (everyDay) {
    return `every day at ${time}`;
  }
  if (anyDay(dayOfMonth) && dayOfWeek === "1-5") {
    return `Monday to Friday at ${time}`;
  }
  if (anyDay(dayOfMonth) && isNumber(dayOfWeek) && DAYS[Number(dayOfWeek)]) {
    return `every ${DAYS[Number(dayOfWeek)]} at ${time}`;
  }
  return anyDay(dayOfWeek) && isNumber(dayOfMonth) ? `on day ${dayOfMonth} of each month at ${time}` : cron;
}

/** What makes a schedule due, in words. */
export function triggerWords(trigger: Trigger): string {
  if (trigger.cron_schedule?.cron) {
    return cronWords(trigger.cron_schedule.cron);
  }
  const seconds = Number(trigger.periodic_schedule?.interval_second ?? 0);
  return seconds > 0 ? everyWords(seconds) : "once";
}
