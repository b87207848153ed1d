/** The time at which a line of a log was printed, as the server puts it in front of the line. */

const STAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /;
const SHAPE = "0000-00-00T00:00:00.000Z ";
/** Of a line that was printed before times were kept. */
const UNKNOWN = "- ";

/** How much of a line its time takes, with the space behind it; 0 where there is none. */
export function stampLength(line: string): number {
  if (line.startsWith(UNKNOWN)) {
    return UNKNOWN.length;
  }
  return STAMP.test(line) ? SHAPE.length : 0;
}

/** Whether what has come of a line may be the beginning of its time. */
export function isBegun(line: string): boolean {
  return line === "-" || (line.length < SHAPE.length && SHAPE.startsWith(line.replace(/\d/g, "0")));
}

export interface Stamped {
  /** In milliseconds; null where it is not known. */
  at: number | null;
  text: string;
}

/** A line and its time; of a line that is `open` the end has not come. */
export function stamped(line: string, isOpen: boolean): Stamped {
  const length = stampLength(line);
  if (length === 0) {
    return { at: null, text: isOpen && isBegun(line) ? "" : line };
  }
  const at = Date.parse(line.slice(0, length - 1));
  return { at: Number.isNaN(at) ? null : at, text: line.slice(length) };
}

/** Whole lines, and perhaps one that is open, without their times. */
export function withoutStamps(text: string): string {
  const lines = text.split("\n");
  const last = lines.length - 1;
  return lines.map((line, at) => stamped(line, at === last).text).join("\n");
}

export interface Span {
  from: number;
  until: number;
}

/** A span with one more time in it; the same one if it was. */
export function widened(span: Span | undefined, at: number): Span {
  if (span && span.from <= at && at <= span.until) {
    return span;
  }
  return { from: Math.min(at, span?.from ?? at), until: Math.max(at, span?.until ?? at) };
}

/** Whether the lines of a log need their date to be told apart, by the clock of whoever looks. */
export function isOfSeveralDays(span: Span | undefined): boolean {
  return span !== undefined && new Date(span.from).toDateString() !== new Date(span.until).toDateString();
}

/** `22:40:01.123`, in the zone of the browser. */
export function clock(at: number): string {
  const time = new Date(at);
  const [hours, minutes, seconds] = [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) =>
    String(part).padStart(2, "0"),
  );
  return `${hours}:${minutes}:${seconds}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

// In every language of browsers as wide as the column is.
const MONTH = new Intl.DateTimeFormat("en", { month: "short" });
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** `27 Nov 22:40:01.123`. */
export function dated(at: number): string {
  return `${new Date(at).getDate()} ${MONTH.format(at)} ${clock(at)}`;
}

/** All there is to say of a time: local, and in UTC. */
export function whole(at: number): string {
  return `${DATE.format(at)}, ${clock(at)} · ${new Date(at).toISOString().slice(0, -1).replace("T", " ")} UTC`;
}
