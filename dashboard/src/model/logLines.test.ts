import { describe, expect, it } from "vitest";
import { LogLines } from "./logLines";

const encode = (text: string) => new TextEncoder().encode(text);

function all(lines: LogLines): string[] {
  return Array.from({ length: lines.end - lines.first }, (_, at) => lines.line(lines.first + at));
}

describe("lines of a log", () => {
  it("are the same however the bytes are cut", () => {
    const text = "eins\r\nzwei ü\n\n\ndrei € ohne Ende";
    const bytes = encode(text);
    for (let size = 1; size <= bytes.length; size++) {
      const lines = new LogLines(1 << 24);
      for (let at = 0; at < bytes.length; at += size) {
        lines.append(bytes.subarray(at, at + size));
      }
      expect(all(lines)).toEqual(["eins", "zwei ü", "", "", "drei € ohne Ende"]);
      expect(lines.isOpen).toBe(true);
      expect(lines.bytes).toBe(bytes.length);
      expect(lines.text(lines.first, lines.end)).toBe(text);
    }
  });

  it("go on in the last one until it ends", () => {
    const lines = new LogLines(1 << 24);
    expect(lines.end).toBe(0);
    lines.append(encode("a"));
    lines.append(encode("b"));
    expect(all(lines)).toEqual(["ab"]);
    lines.append(encode("\n"));
    expect(lines.isOpen).toBe(false);
    lines.append(encode("c\n"));
    expect(all(lines)).toEqual(["ab", "c"]);
  });

  it("cross blocks", () => {
    const long = `${"x".repeat(1_500_000)}\n`;
    const lines = new LogLines(1 << 24);
    lines.append(encode(`${long}next\n`));
    expect(lines.end).toBe(2);
    expect(lines.line(0)).toContain("more bytes");
    expect(lines.line(1)).toBe("next");
    expect(lines.longest).toBe(long.length);
  });

  it("of a log beyond the limit are its last, under their own numbers", () => {
    const lines = new LogLines(2 << 20);
    const count = 400_000;
    const text = (at: number) => `line ${String(at).padStart(7, "0")}`;
    for (let at = 0; at < count; at += 10_000) {
      lines.append(encode(Array.from({ length: 10_000 }, (_, more) => `${text(at + more)}\n`).join("")));
    }
    expect(lines.end).toBe(count);
    expect(lines.first).toBeGreaterThan(200_000);
    expect(lines.line(lines.first)).toBe(text(lines.first));
    expect(lines.line(count - 1)).toBe(text(count - 1));
    expect(lines.line(0)).toBe("");
    expect(new TextDecoder().decode(lines.tail()).endsWith(`${text(count - 1)}\n`)).toBe(true);
  });

  it("without an end are kept within the limit", () => {
    const lines = new LogLines(2 << 20);
    for (let at = 0; at < 6; at++) {
      lines.append(new Uint8Array(1 << 20).fill(120));
    }
    expect(lines.end - lines.first).toBe(1);
    expect(lines.line(lines.first).startsWith("xxx")).toBe(true);
  });
});
