import { describe, expect, it } from "vitest";
import { clock, dated, isBegun, isOfSeveralDays, stamped, stampLength, whole, widened, withoutStamps } from "./stamp";

const TIME = "2026-11-27T22:40:01.123Z";
const AT = Date.UTC(2026, 10, 27, 22, 40, 1, 123);

describe("the time in front of a line", () => {
  it("is told from the text", () => {
    expect(stamped(`${TIME} text of it`, false)).toEqual({ at: AT, text: "text of it" });
    expect(stamped(`${TIME}  indented`, false)).toEqual({ at: AT, text: " indented" });
    expect(stamped(`${TIME} `, false)).toEqual({ at: AT, text: "" });
    expect(stamped("- text", false)).toEqual({ at: null, text: "text" });
    expect(stamped("- ", false)).toEqual({ at: null, text: "" });
    expect(stamped("- - a point", false)).toEqual({ at: null, text: "- a point" });
  });

  it("is nothing that the line says itself", () => {
    for (const line of [
      "",
      "text",
      "-text",
      "2026-11-27 22:40:01,123 INFO",
      "2026-11-27T22:40:01Z text",
      `x ${TIME} y`,
    ]) {
      expect(stampLength(line)).toBe(0);
      expect(stamped(line, false)).toEqual({ at: null, text: line });
    }
    expect(stamped(`${TIME} ${TIME} twice`, false).text).toBe(`${TIME} twice`);
  });

  it("is not known where there is no such time", () => {
    expect(stamped("2026-99-99T99:99:99.999Z text", false)).toEqual({ at: null, text: "text" });
  });

  it("is not text while only a part of it has come", () => {
    const line = `${TIME} `;
    for (let length = 0; length < line.length; length++) {
      expect(isBegun(line.slice(0, length))).toBe(true);
      expect(stamped(line.slice(0, length), true).text).toBe("");
    }
    expect(isBegun("-")).toBe(true);
    for (const text of ["--", "20a", "2026-11-27 2", "step 1", line]) {
      expect(isBegun(text)).toBe(false);
    }
    // Of a line that has ended it would be all.
    expect(stamped("2026", false).text).toBe("2026");
  });

  it("is taken out of a text, and nothing else", () => {
    expect(withoutStamps(`${TIME} a\n- b\r\n${TIME} \n${TIME} 1%\r- 2%\n`)).toBe("a\nb\r\n\n1%\r- 2%\n");
    expect(withoutStamps(`${TIME} a\n${TIME} b`)).toBe("a\nb");
    expect(withoutStamps(`${TIME} a\n2026-11-2`)).toBe("a\n");
    expect(withoutStamps("")).toBe("");
  });
});

describe("how a time is shown", () => {
  const local = new Date(2026, 10, 8, 3, 4, 5, 6).getTime();

  it("is by the clock of whoever looks, to the millisecond", () => {
    expect(clock(local)).toBe("03:04:05.006");
    expect(dated(local)).toBe("8 Nov 03:04:05.006");
    expect(whole(local)).toContain("03:04:05.006 · ");
    expect(whole(AT)).toMatch(/2026.* · 2026-11-27 22:40:01\.123 UTC$/);
  });

  it("has a date where a log is of several days", () => {
    const midnight = new Date(2026, 10, 9).getTime();
    expect(isOfSeveralDays(undefined)).toBe(false);
    expect(isOfSeveralDays({ from: local, until: local })).toBe(false);
    expect(isOfSeveralDays({ from: local, until: midnight - 1 })).toBe(false);
    expect(isOfSeveralDays({ from: midnight - 1, until: midnight })).toBe(true);
  });

  it("counts only what makes a span wider", () => {
    const span = widened(undefined, 5);
    expect(span).toEqual({ from: 5, until: 5 });
    expect(widened(span, 5)).toBe(span);
    expect(widened(span, 7)).toEqual({ from: 5, until: 7 });
    expect(widened(span, 3)).toEqual({ from: 3, until: 5 });
  });
});
