import { describe, expect, it } from "vitest";
import { marked, plain, spansOf } from "./ansi";

const ESC = "\x1b";

describe("a line as a terminal shows it", () => {
  it("has the colours and looks that it asks for", () => {
    expect(spansOf(`${ESC}[1;31mERROR${ESC}[0m: ${ESC}[38;5;46mok${ESC}[0m ${ESC}[38;2;200;180;20mgold`)).toEqual([
      { text: "ERROR", colour: "red", bold: true },
      { text: ": " },
      { text: "ok", colour: "green" },
      { text: " " },
      { text: "gold", colour: "yellow" },
    ]);
    expect(spansOf(`${ESC}[94;47mx`)).toEqual([{ text: "x", colour: "blue", ground: "white" }]);
  });

  it("is only words where it is not about looks", () => {
    const text = `${ESC}]0;title\x07a${ESC}[2K${ESC}[1Ab${ESC}]8;;http://evil${ESC}\\link${ESC}]8;;${ESC}\\`;
    expect(
      spansOf(text)
        .map((span) => span.text)
        .join(""),
    ).toBe("ablink");
    expect(plain(text)).toBe("ablink");
    expect(spansOf("a\x00b\x1b")[0]?.text).toContain("␀");
  });

  it("is what was written last of what was written over", () => {
    expect(plain("10%\r20%\r100%\r")).toBe("100%");
    expect(spansOf("1%\r\x1b[32m2%")).toEqual([{ text: "2%", colour: "green" }]);
  });

  it("is markup for nobody", () => {
    expect(spansOf("<script>alert(1)</script>")).toEqual([{ text: "<script>alert(1)</script>" }]);
  });

  it("shows where a search hits, across looks", () => {
    const spans = spansOf(`an ${ESC}[31mEr${ESC}[0mror, error`);
    expect(marked(spans, "error", false)).toEqual([
      { text: "an " },
      { text: "Er", colour: "red", hit: true },
      { text: "ror", hit: true },
      { text: ", " },
      { text: "error", hit: true },
    ]);
    expect(marked(spans, "error", true).filter((span) => span.hit)).toEqual([{ text: "error", hit: true }]);
    // A letter that becomes two when it is made small moves nothing.
    expect(marked([{ text: "İİ x" }], "x", false).at(-1)).toEqual({ text: "x", hit: true });
  });
});
