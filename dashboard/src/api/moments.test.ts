import { afterEach, expect, test, vi } from "vitest";
import { countUntil } from "../model/instant";
import { readMoments } from "./moments";

const at = (second: number) => Date.UTC(2026, 7, 1, 10, 0, second);
const event = (seq: number, second: number) =>
  `id: ${seq}\ndata: {"seq":${seq},"at":"${new Date(at(second)).toISOString()}","fact":{"fact":"taskReady"}}\n\n`;

afterEach(() => vi.unstubAllGlobals());

/** A server that sends text in such parts. */
function serves(parts: string[], isEndless = false) {
  const asked: string[] = [];
  vi.stubGlobal("document", { baseURI: "http://penstock/" });
  vi.stubGlobal("fetch", async (address: string) => {
    asked.push(address);
    const body = new ReadableStream({
      start(controller) {
        for (const part of parts) {
          controller.enqueue(new TextEncoder().encode(part));
        }
        if (!isEndless) {
          controller.close();
        }
      },
    });
    return new Response(body);
  });
  return asked;
}

test("moments are read on behind those that are known, however the stream is cut", async () => {
  const text = event(2, 5) + event(3, 4) + event(4, 9);
  const asked = serves([text.slice(0, 17), "", text.slice(17, 60), text.slice(60)]);
  const moments = await readMoments("run", [at(1)], 4, new AbortController().signal);
  expect(moments).toEqual([at(1), at(5), at(5), at(9)]);
  expect(asked).toEqual(["http://penstock/apis/penstock/v1/runs/run/events?after=1"]);
});

test("no more is read than is asked for", async () => {
  serves([event(1, 1) + event(2, 2)], true);
  const moments = await readMoments("run", [], 2, new AbortController().signal);
  expect(moments).toEqual([at(1), at(2)]);
  expect(await readMoments("run", moments, 2, new AbortController().signal)).toEqual(moments);
});

test.each([
  [0, 0],
  [1, 1],
  [4, 1],
  [5, 3],
  [100, 4],
])("at second %i there were %i events", (second, count) => {
  expect(countUntil([at(1), at(5), at(5), at(9)], at(second))).toBe(count);
});
