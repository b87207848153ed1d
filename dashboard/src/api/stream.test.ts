import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { followStream, type Link, pauseAfter, type Source } from "./stream";

/** A browser's source, whose fate tests decide. */
class Played implements Source {
  readyState = 0;
  isClosed = false;
  readonly #listeners = new Map<string, (event: MessageEvent<string>) => void>();

  addEventListener(kind: string, listener: (event: MessageEvent<string>) => void) {
    this.#listeners.set(kind, listener);
  }

  close() {
    this.isClosed = true;
  }

  opens() {
    this.readyState = 1;
    this.sends("open", "");
  }

  sends(kind: string, data: string, lastEventId = "") {
    this.#listeners.get(kind)?.({ data, lastEventId } as MessageEvent<string>);
  }

  breaksOff() {
    this.readyState = 0;
    this.sends("error", "");
  }

  isRefused() {
    this.readyState = 2;
    this.sends("error", "");
  }
}

function followed() {
  const sources: Played[] = [];
  const asked: (string | undefined)[] = [];
  const links: Link[] = [];
  const events: string[] = [];
  const state = { isOver: false };
  const stop = followStream({
    open: (after) => {
      asked.push(after);
      const source = new Played();
      sources.push(source);
      return source;
    },
    kinds: ["ready", "message"],
    onEvent: (kind, data) => events.push(`${kind} ${data}`),
    onLink: (link) => links.push(link),
    isOver: () => state.isOver,
  });
  const newest = () => sources.at(-1) as Played;
  return { sources, asked, links, events, state, stop, newest };
}

describe("a stream that is followed", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it("leaves it to the browser to ask again when the connection breaks off", () => {
    const { asked, links, newest } = followed();
    newest().opens();
    newest().breaksOff();
    vi.advanceTimersByTime(100_000);
    newest().opens();
    expect(asked).toEqual([undefined]);
    expect(links).toEqual(["connecting", "open", "lost", "open"]);
  });

  it("is asked for anew behind the last event when it was refused, ever more rarely", () => {
    const { asked, links, events, newest } = followed();
    newest().opens();
    newest().sends("ready", "a", "7");
    newest().sends("message", "b");
    for (const pause of [1000, 2000, 4000]) {
      newest().isRefused();
      vi.advanceTimersByTime(pause - 1);
      const before = asked.length;
      vi.advanceTimersByTime(1);
      expect(asked.length).toBe(before + 1);
    }
    newest().opens();
    newest().sends("message", "c", "8");
    newest().isRefused();
    vi.advanceTimersByTime(1000);
    expect(asked).toEqual([undefined, "7", "7", "7", "8"]);
    expect(events).toEqual(["ready a", "message b", "message c"]);
    expect(links).toEqual(["connecting", "open", "lost", "lost", "lost", "open", "lost"]);
    expect(pauseAfter(20)).toBe(30_000);
  });

  it("is left at its end", () => {
    const { asked, links, state, newest } = followed();
    newest().opens();
    state.isOver = true;
    newest().isRefused();
    vi.advanceTimersByTime(100_000);
    expect(asked).toHaveLength(1);
    expect(links.at(-1)).toBe("open");
  });

  it("is asked for no more once it is not wanted", () => {
    const { asked, stop, newest } = followed();
    newest().isRefused();
    stop();
    vi.advanceTimersByTime(100_000);
    expect(asked).toHaveLength(1);
    expect(newest().isClosed).toBe(true);
  });
});
