import { expect, it } from "vitest";
import { FIRST_TIMING, timingOf, triggerOf } from "./schedule";

it.each([
  { cron_schedule: { cron: "0 0 9 * * *" } },
  { periodic_schedule: { interval_second: "7200" } },
  { periodic_schedule: { interval_second: "90" } },
  { periodic_schedule: { interval_second: "86400", start_time: "2026-03-01T10:00:00.000Z" } },
  {},
])("comes back from %j", (trigger) => {
  expect(triggerOf(timingOf(trigger))).toEqual({ trigger });
});

it("takes the largest unit that fits", () => {
  expect(timingOf({ periodic_schedule: { interval_second: "7200" } })).toMatchObject({ count: "2", unit: 3600 });
  expect(timingOf({ periodic_schedule: { interval_second: "5400" } })).toMatchObject({ count: "90", unit: 60 });
});

it("says what is wrong", () => {
  expect(triggerOf({ ...FIRST_TIMING, kind: "interval", count: "0.5" })).toHaveProperty("reason");
  expect(triggerOf({ ...FIRST_TIMING, cron: " " })).toHaveProperty("reason");
  expect(triggerOf({ ...FIRST_TIMING, start: "2026-03-02T00:00", end: "2026-03-01T00:00" })).toHaveProperty("reason");
});

it("passes over the year 1, which Go's clients send", () => {
  expect(timingOf({ cron_schedule: { cron: "@daily", start_time: "0001-01-01T00:00:00Z" } }).start).toBe("");
});
