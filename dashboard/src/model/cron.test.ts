import { expect, it } from "vitest";
import { cronWords, everyWords, fiveFields, triggerWords } from "./cron";

it.each([
  ["0 0 9 * * 1-5", "Monday to Friday at 09:00"],
  ["0 30 2 * * *", "every day at 02:30"],
  ["0 30 2 * *", "every day at 02:30"],
  ["0 */15 * * * *", "every 15 minutes"],
  ["0 0/10 * * * ?", "every 10 minutes"],
  ["0 5 * * * *", "every hour at minute 5"],
  ["0 0 0 1 * *", "on day 1 of each month at 00:00"],
  ["0 0 8 ? * 0", "every Sunday at 08:00"],
  // Not said in words, rather than said wrongly.
  ["*/10 * * * *", "*/10 * * * *"],
  ["0 0 9 1 1 *", "0 0 9 1 1 *"],
  ["0 0 9,17 * * *", "0 0 9,17 * * *"],
  ["0 0 9 1 * 1", "0 0 9 1 * 1"],
  ["@daily", "@daily"],
  ["", ""],
])("says %j as %j", (cron, words) => {
  expect(cronWords(cron)).toBe(words);
});

it("says intervals in the largest unit that fits", () => {
  expect([1, 60, 5400, 86_400, 1_209_600].map(everyWords)).toEqual([
    "every second",
    "every minute",
    "every 90 minutes",
    "every day",
    "every 2 weeks",
  ]);
});

it("tells one trigger from the other", () => {
  expect(triggerWords({ periodic_schedule: { interval_second: "3600" } })).toBe("every hour");
  expect(triggerWords({ cron_schedule: { cron: "0 0 9 * * *" } })).toBe("every day at 09:00");
  expect(triggerWords({})).toBe("once");
});

it.each([
  ["0 9 * * 1-5", "second 0, of minute 9, of every hour, in January to May", "Monday to Friday at 09:00"],
  ["*/10 * * * *", "second */10, of every minute, of every hour", "every 10 minutes"],
  ["30 2 1 * *", "second 30, of minute 2, of hour 1", "on day 1 of each month at 02:30"],
  ["0 0 9 1 1,13", "second 0, of minute 0, of hour 9, on day 1 of the month, in month 1,13", undefined],
  ["0 30 2 * *", "every day at 02:30", undefined],
])("says what the five fields of %j mean here, and what is meant elsewhere", (cron, means, elsewhere) => {
  const found = fiveFields(cron);
  expect(found?.means).toBe(means);
  expect(found?.whole).toBe(`${cron} *`);
  expect(found?.elsewhere && cronWords(found.elsewhere)).toBe(elsewhere);
});

it("says nothing of other expressions", () => {
  expect([fiveFields("0 0 9 * * 1-5"), fiveFields("@daily"), fiveFields("")]).toEqual(Array(3).fill(undefined));
});
