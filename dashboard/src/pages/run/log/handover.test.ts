import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Handover } from "./handover";
import { Reading } from "./reading";

/** A log that is sent when the test says so, and whose end is not sent unless it is closed. */
function sent(heard: (reading: Reading) => void) {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let signal: AbortSignal | undefined;
  const body = new ReadableStream<Uint8Array>({
    start(it) {
      controller = it;
    },
  });
  const outside = {
    ask: async (_: string, until: AbortSignal) => {
      signal = until;
      return new Response(body);
    },
    pause: async () => undefined,
    now: () => 0,
  };
  const request = { kind: "open", follow: "", whole: "", live: false, limit: 1 << 24, isTimed: false } as const;
  const reading = new Reading(request, outside, heard);
  void reading.run();
  const settled = () => vi.advanceTimersByTimeAsync(0);
  return {
    reading,
    isStopped: () => signal?.aborted,
    send: (text: string) => {
      controller?.enqueue(new TextEncoder().encode(text));
      return settled();
    },
    close: () => {
      controller?.close();
      return settled();
    },
  };
}

describe("a log that is read in another way", () => {
  const done = vi.fn();
  let logs: Handover;
  const begun = async () => {
    const log = sent((reading) => logs.heard(reading));
    logs.begin(log.reading);
    await vi.advanceTimersByTimeAsync(0);
    return log;
  };

  beforeEach(() => {
    vi.useFakeTimers();
    done.mockClear();
    logs = new Handover(done);
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("is shown at once if it is the first", async () => {
    const first = await begun();
    expect(logs.shown).toBe(first.reading);
    expect(logs.coming).toBeUndefined();
    expect(done).toHaveBeenCalledTimes(1);
  });

  it("is shown when it has come as far as the one before, which is read no further", async () => {
    const first = await begun();
    await first.send("1\n2\n3\n");
    const second = await begun();
    expect(first.isStopped()).toBe(true);
    await second.send("1\n2\n");
    expect(logs.shown).toBe(first.reading);
    expect(logs.newest).toBe(second.reading);
    expect(first.reading.feed.lines.end).toBe(3);
    await second.send("3");
    expect(logs.shown).toBe(second.reading);
    expect(done).toHaveBeenCalledTimes(2);
    expect(second.isStopped()).toBe(false);
  });

  it("is shown when it has ended sooner", async () => {
    const first = await begun();
    await first.send("1\n2\n3\n");
    const second = await begun();
    await second.send("1\n");
    await second.close();
    expect(logs.shown).toBe(second.reading);
  });

  it("is shown when it stays shorter", async () => {
    const first = await begun();
    await first.send("1\n2\n3\n");
    const second = await begun();
    await second.send("1\n");
    await vi.advanceTimersByTimeAsync(1_900);
    await second.send("2\n");
    await vi.advanceTimersByTimeAsync(1_900);
    expect(logs.shown).toBe(first.reading);
    await vi.advanceTimersByTimeAsync(200);
    expect(logs.shown).toBe(second.reading);
  });

  it("is forgotten when yet another is wanted before that", async () => {
    const first = await begun();
    await first.send("1\n2\n");
    const second = await begun();
    await second.send("1\n");
    const third = await begun();
    expect(second.isStopped()).toBe(true);
    await vi.advanceTimersByTimeAsync(1_000);
    await third.send("1\n2\n");
    expect(logs.shown).toBe(third.reading);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(logs.shown).toBe(third.reading);
    expect(done).toHaveBeenCalledTimes(2);
  });
});
