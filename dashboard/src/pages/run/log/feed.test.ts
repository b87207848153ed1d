import { describe, expect, it } from "vitest";
import { Feed, type Outside } from "./feed";

const encode = (text: string) => new TextEncoder().encode(text);

/** A server that answers with what it is told to, one after the other. */
function server(answers: (() => Response)[]) {
  const asked: string[] = [];
  const told: string[] = [];
  const pauses: number[] = [];
  const outside: Outside = {
    ask: async (url) => {
      asked.push(url);
      const answer = answers.shift();
      if (!answer) {
        throw new Error("asked too often");
      }
      return answer();
    },
    pause: async (ms) => {
      if (ms > 0) {
        pauses.push(ms);
      }
    },
    now: () => 0,
    changed: () => {
      if (told.at(-1) !== feed.standing.at) {
        told.push(feed.standing.at);
      }
    },
  };
  const feed = new Feed({ follow: "follow", whole: "whole" }, true, 1 << 24, outside);
  return { feed, outside, asked, told, pauses };
}

const text =
  (...parts: string[]) =>
  () =>
    new Response(
      new ReadableStream({
        start(controller) {
          for (const part of parts) {
            controller.enqueue(encode(part));
          }
          controller.close();
        },
      }),
    );

const broken = (part: string) => () => {
  let isSent = false;
  return new Response(
    new ReadableStream({
      pull(controller) {
        if (isSent) {
          controller.error(new Error("reset"));
        } else {
          isSent = true;
          controller.enqueue(encode(part));
        }
      },
    }),
  );
};

const refused = (status: number, message: string) => () => new Response(JSON.stringify({ message }), { status });

const content = (feed: Feed) => feed.lines.text(feed.lines.first, feed.lines.end);

describe("the feed of a log", () => {
  it("goes on where it was cut, and doubles nothing", async () => {
    const { feed, asked, told, pauses } = server([
      broken("one\ntw"),
      refused(503, "busy"),
      () => {
        feed.live = false;
        return text("one\n", "two\nth", "ree\n")();
      },
    ]);
    await feed.run(new AbortController().signal);
    expect(content(feed)).toBe("one\ntwo\nthree\n");
    expect(feed.edition).toBe(0);
    expect(asked).toEqual(["follow", "follow", "follow"]);
    expect(told).toEqual(["connecting", "reading", "lost", "reading", "ended"].slice(1));
    expect(pauses).toEqual([1000, 2000]);
  });

  it("waits for a log that is not there yet", async () => {
    const { feed, told } = server([
      refused(404, "it has not started"),
      () => {
        feed.live = false;
        return text("a\n")();
      },
    ]);
    await feed.run(new AbortController().signal);
    expect(told).toEqual(["waiting", "reading", "ended"]);
    expect(content(feed)).toBe("a\n");
  });

  it("begins anew with another log under the same name", async () => {
    const { feed } = server([
      broken("one\n"),
      text("two\nthree\n"),
      () => {
        feed.live = false;
        return text("two\nthree\n")();
      },
    ]);
    await feed.run(new AbortController().signal);
    expect(content(feed)).toBe("two\nthree\n");
    expect(feed.edition).toBe(1);
  });

  it("asks again after an end while the attempt is said to be under way, ever more rarely", async () => {
    const { feed, pauses } = server([
      text("a\n"),
      text("a\n"),
      () => {
        feed.live = false;
        return text("a\nb\n")();
      },
    ]);
    await feed.run(new AbortController().signal);
    expect(content(feed)).toBe("a\nb\n");
    expect(pauses).toEqual([3000, 10000]);
  });

  it("says why there is none, or it may not be read", async () => {
    const gone = server([refused(404, "has no log: its result was taken from the cache")]);
    gone.feed.live = false;
    await gone.feed.run(new AbortController().signal);
    expect(gone.asked).toEqual(["whole"]);
    expect(gone.feed.standing).toEqual({ at: "none", reason: "has no log: its result was taken from the cache" });
    const barred = server([refused(403, "no")]);
    await barred.feed.run(new AbortController().signal);
    expect(barred.feed.standing).toEqual({ at: "refused", reason: "no" });
  });
});
