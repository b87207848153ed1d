import { expect, it } from "vitest";
import { clocks, dayAndTime, ownerWords, timeBeside } from "./zones";

const AT = Date.UTC(2026, 10, 30, 8);

it("shows each zone once, that of the schedule first", () => {
  const zones = (schedule: string | undefined, reader: string) =>
    clocks(schedule, reader).map((it) => [it.zone, ownerWords(it, schedule !== undefined)]);
  expect(zones("Europe/Berlin", "America/New_York")).toEqual([
    ["Europe/Berlin", "the schedule's"],
    ["America/New_York", "yours"],
    ["UTC", ""],
  ]);
  expect(zones("Europe/Berlin", "Europe/Berlin")).toEqual([
    ["Europe/Berlin", "the schedule's, and yours"],
    ["UTC", ""],
  ]);
  expect(zones("UTC", "Etc/UTC")).toEqual([["UTC", "the schedule's, and yours"]]);
  expect(zones(undefined, "Asia/Tokyo")).toEqual([
    ["Asia/Tokyo", ""],
    ["UTC", ""],
  ]);
  // The server's zones are newer than the browser's.
  expect(zones("Mars/Olympus", "UTC")).toEqual([["UTC", "yours"]]);
});

it("tells a time on each clock, and the day where it is another", () => {
  expect(dayAndTime(AT, "Europe/Berlin", AT, "en-GB")).toMatch(/^Mon,? 30 Nov,? 09:00$/);
  expect(dayAndTime(AT, "Europe/Berlin", Date.UTC(2025, 0), "en-GB")).toContain("2026");
  expect(timeBeside(AT, "America/New_York", "Europe/Berlin", "en-GB")).toBe("03:00");
  expect(timeBeside(AT, "Pacific/Honolulu", "Europe/Berlin", "en-GB")).toBe("Sun 22:00");
});
