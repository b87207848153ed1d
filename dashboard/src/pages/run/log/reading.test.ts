import { describe, expect, it } from "vitest";
import { Reading } from "./reading";

const TIME = "2026-11-27T22:40:01.123Z";
const AT = Date.UTC(2026, 10, 27, 22, 40, 1, 123);
const LATER = "2026-11-29T01:00:00.000Z";

/** A log that comes in parts; what was known of its times after each. */
async function read(parts: string[], isTimed = true): Promise<{ reading: Reading; known: string[]; voided: number }> {
  const known: string[] = [];
  let voided = 0;
  const body = new ReadableStream({
    start(controller) {
      for (const part of parts) {
        controller.enqueue(new TextEncoder().encode(part));
      }
      controller.close();
    },
  });
  const outside = { ask: async () => new Response(body), pause: async () => undefined, now: () => 0 };
  const request = { kind: "open", follow: "follow", whole: "whole", live: false, limit: 1 << 24, isTimed } as const;
  const reading = new Reading(request, outside, (it) => {
    voided += it.look() ? 1 : 0;
    if (known.at(-1) !== it.times) {
      known.push(it.times);
    }
  });
  await reading.run();
  return { reading, known, voided };
}

describe("a log that is read with times", () => {
  it("has them beside its lines", async () => {
    const { reading, known, voided } = await read([`${TIME} one\n- \n`, `${LATER} \x1b[31mtwo\n`]);
    expect(known).toEqual(["open", "kept"]);
    expect(voided).toBe(0);
    expect(reading.part(0, 3)).toEqual({
      lines: ["one", "", "\x1b[31mtwo"],
      times: [AT, null, Date.parse(LATER)],
    });
    expect(reading.text(100)).toBe("one\n\n\x1b[31mtwo\n");
    expect(reading.text(5)).toBeUndefined();
  });

  it("shows no part of a time, and waits with its judgement until it is whole", async () => {
    const { reading, known } = await read(["2026-11-2", "7T22:40:01.123Z on", `e\n${TIME.slice(0, 12)}`]);
    expect(known).toEqual(["open", "kept"]);
    expect(reading.part(0, 2)).toEqual({ lines: ["one", ""], times: [AT, null] });
    expect(reading.text(100)).toBe("one\n");
  });

  it("has lines as they are where the server knows of no times, also if some look as if it did", async () => {
    const { reading, known, voided } = await read(["- a point\n", "- another\nand text\n"]);
    expect(known).toEqual(["open", "kept", "none"]);
    expect(voided).toBe(1);
    expect(reading.part(0, 3)).toEqual({ lines: ["- a point", "- another", "and text"], times: undefined });
    expect(reading.text(100)).toBe("- a point\n- another\nand text\n");
    expect(reading.span).toBeUndefined();
    expect((await read(["\n2026-11-27 text\n"])).known).toEqual(["open", "none"]);
  });

  it("does not change its mind for what a long log says later", async () => {
    const lines = Array.from({ length: 30 }, (_, at) => `${TIME} line ${at}\n`).join("");
    const { reading, known } = await read([lines, "cut\n"]);
    expect(known).toEqual(["open", "kept"]);
    expect(reading.part(30, 31)).toEqual({ lines: ["cut"], times: [null] });
  });

  it("knows from when to when it is", async () => {
    const between = Array.from({ length: 30 }, () => "- text\n").join("");
    const { reading } = await read([`${TIME} one\n${between}${LATER} last\n`]);
    expect(reading.span).toEqual({ from: AT, until: AT });
    reading.reach();
    expect(reading.span).toEqual({ from: AT, until: Date.parse(LATER) });
  });
});

describe("a log that is read without times", () => {
  it("keeps what looks like one", async () => {
    const { reading, known } = await read([`${TIME} one\n- two\n`], false);
    expect(known).toEqual(["off"]);
    expect(reading.part(0, 2)).toEqual({ lines: [`${TIME} one`, "- two"], times: undefined });
    expect(reading.text(100)).toBe(`${TIME} one\n- two\n`);
    expect(reading.text(10)).toBeUndefined();
  });
});
