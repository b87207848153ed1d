import { describe, expect, it } from "vitest";
import { LogLines } from "../../../model/logLines";
import { Search } from "./search";

const encode = (text: string) => new TextEncoder().encode(text);

function run(search: Search, lines: LogLines, isOver: boolean, isStamped = false): number[] {
  while (search.advance(lines, isOver, isStamped)) {
    // Until everything was searched.
  }
  return search.hits;
}

describe("a search in a log", () => {
  it("finds lines in a log of a million, once each", () => {
    const lines = new LogLines(1 << 28);
    for (let at = 0; at < 1_000_000; at += 10_000) {
      const part = Array.from(
        { length: 10_000 },
        (_, more) => `line ${at + more} ${(at + more) % 100_000 === 7 ? "NEEDLE" : ""}\n`,
      );
      lines.append(encode(part.join("")));
    }
    const search = new Search("needle", false);
    expect(run(search, lines, true)).toEqual(Array.from({ length: 10 }, (_, at) => at * 100_000 + 7));
    expect(search.place(0)).toBe(0);
    expect(search.place(8)).toBe(1);
    expect(search.place(999_999)).toBe(10);
  });

  it("goes on with the log, and waits for the end of a line", () => {
    const lines = new LogLines(1 << 24);
    lines.append(encode("an err"));
    const search = new Search("error", true);
    expect(run(search, lines, false)).toEqual([]);
    lines.append(encode("or\n\nno\nerror"));
    expect(run(search, lines, false)).toEqual([0]);
    expect(run(search, lines, true)).toEqual([0, 3]);
  });

  it("sees words, not how they are coloured", () => {
    const lines = new LogLines(1 << 24);
    lines.append(encode("\x1b[31mfa\x1b[0miled\n[31m\n"));
    expect(run(new Search("failed", false), lines, true)).toEqual([0]);
    expect(run(new Search("[31m", false), lines, true)).toEqual([1]);
  });

  it("does not see the times of lines", () => {
    const lines = new LogLines(1 << 24);
    const at = "2026-11-27T22:40:01.123Z ";
    lines.append(encode(`${at}began in 2026\n${at}\n- no time\n${at}- a point\n${at}1%\r2%\n${at}${at}twice\n`));
    const found = (words: string) => run(new Search(words, false), lines, true, true);
    expect(found("2026")).toEqual([0, 5]);
    expect(found("22:40")).toEqual([5]);
    expect(found("- ")).toEqual([3]);
    expect(found("z ")).toEqual([5]);
    expect(found("z 1")).toEqual([]);
    expect(found("no time")).toEqual([2]);
    expect(found("2%")).toEqual([4]);
    // The same bytes of a server that puts no times in front.
    expect(run(new Search("22:40", false), lines, true)).toEqual([0, 1, 3, 5]);
  });
});
