/** A time on several clocks: that of a schedule, that of whoever reads, and UTC. */

export interface Clock {
  zone: string;
  /** Whose it is: both may be in one zone. */
  of: readonly ("schedule" | "reader")[];
}

const isUtc = (zone: string) => /^(Etc\/)?(UTC|Zulu|Universal)$/i.test(zone) || zone === "GMT" || zone === "Etc/GMT";

/** The zone of the browser, as clocks are called. */
export function readerZone(): string {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return isUtc(zone) ? "UTC" : zone;
}

function isKnown(zone: string): boolean {
  try {
    new Intl.DateTimeFormat(undefined, { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

/** The clocks to show, that of the schedule first; each zone once. One that the browser does not know is left out. */
export function clocks(schedule: string | undefined, reader: string): Clock[] {
  const found: { zone: string; of: ("schedule" | "reader")[] }[] = [];
  const add = (zone: string, of?: "schedule" | "reader") => {
    const same = found.find((it) => it.zone === zone || (isUtc(it.zone) && isUtc(zone)));
    if (same && of) {
      same.of.push(of);
    } else if (!same && isKnown(zone)) {
      found.push({ zone: isUtc(zone) ? "UTC" : zone, of: of ? [of] : [] });
    }
  };
  if (schedule) {
    add(schedule, "schedule");
  }
  add(reader, "reader");
  add("UTC");
  return found;
}

/** Whose clock it is, for people. */
export function ownerWords({ of }: Clock, hasSchedule: boolean): string {
  if (of.length === 2) {
    return "the schedule's, and yours";
  }
  if (of[0] === "schedule") {
    return "the schedule's";
  }
  return of[0] === "reader" && hasSchedule ? "yours" : "";
}

/** `Mon, 30 Nov, 09:00`; the year where it is not this one. */
export function dayAndTime(at: number, zone: string, now: number, locale?: string): string {
  const year = (time: number) => new Intl.DateTimeFormat("en", { timeZone: zone, year: "numeric" }).format(time);
  return new Intl.DateTimeFormat(locale, {
    timeZone: zone,
    ...(year(at) !== year(now) && { year: "numeric" }),
    weekday: "short",
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
  }).format(at);
}

/** `03:00`, or `Sun 23:00` where it is another day than on the first clock. */
export function timeBeside(at: number, zone: string, first: string, locale?: string): string {
  const day = (of: string) => new Intl.DateTimeFormat("en", { timeZone: of, dateStyle: "short" }).format(at);
  return new Intl.DateTimeFormat(locale, {
    timeZone: zone,
    ...(day(zone) !== day(first) && { weekday: "short" }),
    hour: "2-digit",
    minute: "2-digit",
  }).format(at);
}
