import { describe, expect, it } from "vitest";
import { ago, duration, instant, utc, wholeSeconds } from "./time";

describe("times", () => {
  it("are absent where KFP says the epoch or the year 1", () => {
    expect(instant("1970-01-01T00:00:00Z")).toBeUndefined();
    expect(instant("0001-01-01T00:00:00Z")).toBeUndefined();
    expect(instant("nonsense")).toBeUndefined();
    expect(instant(null)).toBeUndefined();
    expect(instant("2026-08-01T10:00:00Z")).toBe(Date.UTC(2026, 7, 1, 10));
  });

  it.each([
    [-5, "0 ms"],
    [4.4, "4 ms"],
    [99, "0.10 s"],
    [430, "0.4 s"],
    [2_340, "2.3 s"],
    [12_400, "12 s"],
    [59_600, "1 min"],
    [200_000, "3 min 20 s"],
    [3_600_000, "1 h"],
    [7_500_000, "2 h 5 min"],
    [273_600_000, "3 d 4 h"],
  ])("of %d ms are %s", (ms, words) => {
    expect(duration(ms)).toBe(words);
  });

  it("claim no more than whole seconds have", () => {
    expect([0, 999, 1000, 11_900, 61_000].map(wholeSeconds)).toEqual(["< 1 s", "< 1 s", "1 s", "11 s", "1 min 1 s"]);
  });

  it("lie before or after now", () => {
    const now = Date.UTC(2026, 0, 2);
    expect(ago(now - 1_000, now)).toBe("just now");
    expect(ago(now - 300_000, now)).toBe("5 min ago");
    expect(ago(now + 7_200_000, now)).toBe("in 2 h");
    expect(ago(now - 86_400_000 * 40, now)).toBe("40 d ago");
  });

  it("are said in UTC without a zone of their own", () => {
    expect(utc(Date.UTC(2026, 7, 1, 10))).toBe("2026-08-01 10:00:00 UTC");
  });
});
