import { useCallback, useEffect, useReducer, useRef, useState } from "react";
import { type Found, type Grown, KEPT, type Reply, type Request } from "./protocol";

const BLOCK = 128;
/** Parts of the text that are remembered. */
const REMEMBERED = 64;

interface Block {
  lines: string[];
  times: (number | null)[] | undefined;
  edition: number;
  /** It was asked for before its last line had ended. */
  isOpen: boolean;
}

const NOTHING: Grown = {
  kind: "grown",
  standing: { at: "connecting" },
  first: 0,
  end: 0,
  bytes: 0,
  longest: 0,
  isOpen: false,
  edition: 0,
  times: "off",
  span: undefined,
};

export interface LogHold {
  grown: Grown;
  found: Found | undefined;
  /** A line, or nothing while it is fetched. */
  line: (number: number) => string | undefined;
  /** When a line was printed; null where that is not known, and nothing while it is fetched. */
  time: (number: number) => number | null | undefined;
  search: (words: string, exact: boolean) => void;
  seek: (from: number, step: 1 | -1) => Promise<{ line: number; place: number } | undefined>;
  /** All of it; nothing if it is too long to be copied. */
  text: () => Promise<string | undefined>;
}

/** The worker of a log, and what of its text is here. */
class Client {
  readonly blocks = new Map<number, Block>();
  newest = NOTHING;
  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  /** Parts that are asked for; whether the last line of one may go on. */
  readonly #pending = new Map<number, boolean>();
  readonly #answers: Partial<Record<Reply["kind"], (reply: Reply) => void>> = {};

  constructor(told: { grown: (grown: Grown) => void; found: (found: Found) => void; lines: () => void }) {
    this.#worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      if (data.kind === "grown") {
        this.newest = data;
        told.grown(data);
      } else if (data.kind === "found") {
        told.found(data);
      } else if (data.kind === "lines") {
        const place = data.from / BLOCK;
        const { lines, times, edition } = data;
        keep(this.blocks, place, { lines, times, edition, isOpen: this.#pending.get(place) ?? false });
        this.#pending.delete(place);
        told.lines();
      } else {
        this.#answers[data.kind]?.(data);
      }
    };
  }

  send(request: Request): void {
    this.#worker.postMessage(request);
  }

  answer<Kind extends Reply["kind"]>(kind: Kind, request: Request): Promise<Extract<Reply, { kind: Kind }>> {
    return new Promise((resolve) => {
      this.#answers[kind] = (reply) => resolve(reply as Extract<Reply, { kind: Kind }>);
      this.send(request);
    });
  }

  line(number: number): string | undefined {
    const place = Math.floor(number / BLOCK);
    const block = this.blocks.get(place);
    const { end, isOpen, edition } = this.newest;
    const wanted = Math.min(BLOCK, end - place * BLOCK);
    // What is there of another edition stays until this one's is, so that nothing flickers.
    const isOld = !block || block.lines.length < wanted || block.isOpen || block.edition < edition;
    if (isOld && !this.#pending.has(place)) {
      this.#pending.set(place, isOpen && end - place * BLOCK <= BLOCK);
      this.send({ kind: "lines", from: place * BLOCK, to: place * BLOCK + wanted });
    }
    return block?.lines[number - place * BLOCK];
  }

  time(number: number): number | null | undefined {
    const place = Math.floor(number / BLOCK);
    return this.blocks.get(place)?.times?.[number - place * BLOCK];
  }

  end(): void {
    this.#worker.terminate();
  }
}

/**
 * A log in a worker of its own, for as long as the component is there. The addresses are always of the same log, and
 * change where its times are asked for.
 */
export function useLog(follow: string, whole: string, isTimed: boolean, live: boolean): LogHold {
  const client = useRef<Client | undefined>(undefined);
  const [grown, setGrown] = useState(NOTHING);
  const [found, setFound] = useState<Found>();
  const [, drawAgain] = useReducer((count: number) => count + 1, 0);
  const isLive = useRef(live);
  isLive.current = live;

  useEffect(() => {
    const made = new Client({ grown: setGrown, found: setFound, lines: drawAgain });
    client.current = made;
    return () => {
      made.end();
      client.current = undefined;
      setGrown(NOTHING);
      setFound(undefined);
    };
  }, []);
  useEffect(() => {
    client.current?.send({ kind: "open", follow, whole, live: isLive.current, limit: KEPT, isTimed });
  }, [follow, whole, isTimed]);
  useEffect(() => client.current?.send({ kind: "live", live }), [live]);

  return {
    grown,
    found,
    line: useCallback((number) => client.current?.line(number), []),
    time: useCallback((number) => client.current?.time(number), []),
    search: useCallback((words, exact) => client.current?.send({ kind: "search", words, exact }), []),
    seek: useCallback(async (from, step) => client.current?.answer("sought", { kind: "seek", from, step }), []),
    text: useCallback(async () => (await client.current?.answer("text", { kind: "text" }))?.text, []),
  };
}

function keep(blocks: Map<number, Block>, place: number, block: Block): void {
  blocks.delete(place);
  blocks.set(place, block);
  for (const oldest of blocks.keys()) {
    if (blocks.size <= REMEMBERED) {
      return;
    }
    blocks.delete(oldest);
  }
}
