import { useCallback, useEffect, useReducer, useRef, useState } from "react";
import { type Found, type Grown, KEPT, type Reply, type Request } from "./protocol";

const BLOCK = 128;
/** Parts of the text that are remembered. */
const REMEMBERED = 64;

interface Block {
  lines: string[];
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
};

export interface LogHold {
  grown: Grown;
  found: Found | undefined;
  /** A line, or nothing while it is fetched. */
  line: (number: number) => string | undefined;
  search: (words: string, exact: boolean) => void;
  seek: (from: number, step: 1 | -1) => Promise<{ line: number; place: number }>;
  /** All of it; nothing if it is too long to be copied. */
  text: () => Promise<string | undefined>;
}

/** A log in a worker of its own, for as long as the component is there. */
export function useLog(follow: string, whole: string, live: boolean): LogHold {
  const worker = useRef<Worker | undefined>(undefined);
  const blocks = useRef(new Map<number, Block>());
  const pending = useRef(new Map<number, boolean>());
  const answers = useRef<Partial<Record<Reply["kind"], (reply: Reply) => void>>>({});
  const [grown, setGrown] = useState(NOTHING);
  const newest = useRef(NOTHING);
  const [found, setFound] = useState<Found>();
  const [, drawAgain] = useReducer((count: number) => count + 1, 0);
  const isLive = useRef(live);
  isLive.current = live;

  const send = useCallback((request: Request) => worker.current?.postMessage(request), []);

  useEffect(() => {
    const made = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    worker.current = made;
    made.onmessage = ({ data }: MessageEvent<Reply>) => {
      if (data.kind === "grown") {
        if (data.edition !== newest.current.edition) {
          blocks.current.clear();
        }
        newest.current = data;
        setGrown(data);
      } else if (data.kind === "found") {
        setFound(data);
      } else if (data.kind === "lines") {
        keep(blocks.current, data.from / BLOCK, data.lines, pending.current.get(data.from / BLOCK) ?? false);
        pending.current.delete(data.from / BLOCK);
        drawAgain();
      } else {
        answers.current[data.kind]?.(data);
      }
    };
    made.postMessage({ kind: "open", follow, whole, live: isLive.current, limit: KEPT } satisfies Request);
    return () => {
      made.terminate();
      blocks.current.clear();
      pending.current.clear();
      newest.current = NOTHING;
      setGrown(NOTHING);
      setFound(undefined);
    };
  }, [follow, whole]);

  useEffect(() => send({ kind: "live", live }), [live, send]);

  const line = useCallback(
    (number: number) => {
      const place = Math.floor(number / BLOCK);
      const block = blocks.current.get(place);
      const { end, isOpen } = newest.current;
      const wanted = Math.min(BLOCK, end - place * BLOCK);
      if (!block || block.lines.length < wanted || block.isOpen) {
        if (!pending.current.has(place)) {
          const holdsLast = end - place * BLOCK <= BLOCK;
          pending.current.set(place, holdsLast && isOpen);
          send({ kind: "lines", from: place * BLOCK, to: place * BLOCK + wanted });
        }
      }
      return block?.lines[number - place * BLOCK];
    },
    [send],
  );

  const answered = useCallback(
    <Kind extends Reply["kind"]>(kind: Kind, request: Request) =>
      new Promise<Extract<Reply, { kind: Kind }>>((resolve) => {
        answers.current[kind] = (reply) => resolve(reply as Extract<Reply, { kind: Kind }>);
        send(request);
      }),
    [send],
  );

  return {
    grown,
    found,
    line,
    search: useCallback((words, exact) => send({ kind: "search", words, exact }), [send]),
    seek: useCallback((from, step) => answered("sought", { kind: "seek", from, step }), [answered]),
    text: useCallback(async () => (await answered("text", { kind: "text" })).text, [answered]),
  };
}

function keep(blocks: Map<number, Block>, place: number, lines: string[], isOpen: boolean): void {
  blocks.delete(place);
  blocks.set(place, { lines, isOpen });
  for (const oldest of blocks.keys()) {
    if (blocks.size <= REMEMBERED) {
      return;
    }
    blocks.delete(oldest);
  }
}
