import { describe, expect, it } from "vitest";
import { Exact, figure, parseExactly } from "./figure";

describe("a figure", () => {
  it("keeps what is before the point", () => {
    expect(figure(123456789.5)).toBe("123456789.5");
    expect(figure(1234567.891)).toBe("1234567.89");
    expect(figure(-98765.4321)).toBe("-98765.43");
    expect(figure(12345678)).toBe("12345678");
    expect(figure(999999.999)).toBe("1000000");
  });

  it("has six digits that count where it is small", () => {
    expect(figure(1 / 3)).toBe("0.333333");
    expect(figure(2 / 3 + 12)).toBe("12.6667");
    expect(figure(0.00001234567)).toBe("0.0000123457");
    expect(figure(1.23456789e-12)).toBe("1.23457e-12");
    expect(figure(0)).toBe("0");
  });

  it("is anything else as it is", () => {
    expect(figure("0.3333333333")).toBe("0.3333333333");
    expect(figure(null)).toBe("null");
    expect(figure([1.5, true])).toBe("[1.5,true]");
  });
});

describe("JSON that is read exactly", () => {
  it("keeps every digit that was written", () => {
    expect(parseExactly('{"id": 12345678901234567890, "a": [1.0, 0.12345678901234567890, 1E400]}')).toEqual({
      id: new Exact("12345678901234567890"),
      a: [new Exact("1.0"), new Exact("0.12345678901234567890"), new Exact("1E400")],
    });
  });

  it("leaves what is written as JavaScript writes it", () => {
    expect(parseExactly('[1, -2.5, "12345678901234567890", null, {"a": true}]')).toEqual([
      1,
      -2.5,
      "12345678901234567890",
      null,
      { a: true },
    ]);
  });

  it("is refused where it is none", () => {
    for (const text of ["{", "01", "[012345678901234567890]", "1.0.0", "[1.]", "--1.0", '"1.0', "1.0 2.0"]) {
      expect(() => parseExactly(text), text).toThrow(SyntaxError);
    }
  });

  it("takes no text for a number", () => {
    expect(parseExactly('["exact:1.0", 1.0, "a\\" 2.0 \\\\", {"3.0": "-exact:"}]')).toEqual([
      "exact:1.0",
      new Exact("1.0"),
      'a" 2.0 \\',
      { "3.0": "-exact:" },
    ]);
  });
});
