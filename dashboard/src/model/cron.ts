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

const MONTHS = [
  ...["", "January", "February", "March", "April", "May", "June", "July", "August", "September", "October"],
  ...["November", "December"],
];

/** `1-5` as `January to May`, where each part has a name. */
function spanWords(field: string, names: readonly string[]): string {
  const words = field.split(",").map((part) => {
    const ends = part.split("-").map((end) => names[Number(end)] ?? "");
    return ends.every((end) => end !== "") && ends.length <= 2 ? ends.join(" to ") : undefined;
  });
  return words.every((word) => word !== undefined) ? words.join(", ") : `month ${field}`;
}

/** What is easily meant otherwise: of five fields the last is missing here, and the first elsewhere. */
export interface FiveFields {
  /** What it means as it stands. */
  means: string;
  /** The same with all six. */
  whole: string;
  /** What cron elsewhere means by it, with all six; undefined where that cannot be. */
  elsewhere: string | undefined;
}

/** What there is to know of an expression of five fields; undefined for others. */
export function fiveFields(cron: string): FiveFields | undefined {
  const fields = cron.trim().split(/\s+/);
  if (fields.length !== 5) {
    return undefined;
  }
  const plain = fields.join(" ");
  const known = cronWords(plain);
  return {
    means: known === plain ? fieldWords(fields) : known,
    whole: `${plain} *`,
    elsewhere: fields.every((field, place) => isWithin(field, ELSEWHERE[place] ?? [0, 0])) ? `0 ${plain}` : undefined,
  };
}

/** Minute, hour, day of the month, month, day of the week. */
const ELSEWHERE: readonly (readonly [number, number])[] = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 7],
];

function isWithin(field: string, [least, most]: readonly [number, number]): boolean {
  // How far to step is no place of its own.
  const places = field.replace(/\/\d+/g, "").match(/\d+/g) ?? [];
  return places.every((place) => Number(place) >= least && Number(place) <= most);
}

/** Any expression, field by field. */
function fieldWords([second = "", minute = "", hour = "", dayOfMonth = "", month = ""]: readonly string[]): string {
  const any = (field: string) => field === "*" || field === "?";
  const each = (field: string, unit: string) => (any(field) ? `every ${unit}` : `${unit} ${field}`);
  return [
    each(second, "second"),
    any(minute) ? "of every minute" : `of minute ${minute}`,
    any(hour) ? "of every hour" : `of hour ${hour}`,
    ...(any(dayOfMonth) ? [] : [`on day ${dayOfMonth} of the month`]),
    ...(any(month) ? [] : [`in ${spanWords(month, MONTHS)}`]),
  ].join(", ");
}

/** What makes a schedule due, in words. */
export function triggerWords(trigger: Trigger): string {
  if (trigger.cron_schedule?.cron) {
    return cronWords(trigger.cron_schedule.cron);
  }
  const seconds = Number(trigger.periodic_schedule?.interval_second ?? 0);
  return seconds > 0 ? everyWords(seconds) : "once";
}
