/** Holds a log and searches it, so that the page only ever has the lines that it shows. */
import { throttled } from "../../../model/throttle";
import { Feed } from "./feed";
import { COPIED, type Reply, type Request } from "./protocol";
import { Search } from "./search";

const scope = self as unknown as DedicatedWorkerGlobalScope;
const TELL_MS = 100;

let feed: Feed | undefined;
let search: Search | undefined;
let asked: { words: string; exact: boolean } | undefined;
let isSearching = false;
/** Ends a pause early. */
let wake: () => void = () => undefined;

const tell = (reply: Reply) => scope.postMessage(reply);

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    if (ms > 0) {
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    }
  });
}

const grown = throttled(() => {
  if (feed) {
    const { standing, lines, edition } = feed;
    const { first, end, bytes, longest, isOpen } = lines;
    tell({ kind: "grown", standing, first, end, bytes, longest, isOpen, edition });
  }
}, TELL_MS);

const found = throttled(() => {
  if (search && asked) {
    tell({ kind: "found", ...asked, count: search.hits.length, isDone: !isSearching });
  }
}, TELL_MS);

/** Searches what was not searched yet, and lets others have their turn between parts. */
async function pump(): Promise<void> {
  if (isSearching) {
    return;
  }
  isSearching = true;
  while (feed && search?.advance(feed.lines, feed.isOver)) {
    found.call();
    await sleep(0);
  }
  isSearching = false;
  found.call();
}

function changed(): void {
  grown.call();
  if (search) {
    void pump();
  }
}

function begin(words: string, exact: boolean): void {
  asked = { words, exact };
  search = words === "" ? undefined : new Search(words, exact);
  void pump();
}

function open({ follow, whole, live, limit }: Extract<Request, { kind: "open" }>): void {
  const outside = {
    ask: (address: string, signal: AbortSignal) => fetch(address, { signal, headers: { accept: "text/plain" } }),
    pause: sleep,
    now: Date.now,
    changed: () => {
      // Another log: what was found in the first is nowhere.
      if (feed && feed.edition !== edition) {
        edition = feed.edition;
        begin(asked?.words ?? "", asked?.exact ?? false);
      }
      changed();
    },
  };
  let edition = 0;
  feed = new Feed({ follow, whole }, live, limit, outside);
  changed();
  void feed.run(new AbortController().signal);
}

function seek(from: number, step: 1 | -1): void {
  const hits = search?.hits ?? [];
  if (!search || hits.length === 0) {
    return;
  }
  const next = step === 1 ? search.place(from + 1) : search.place(from) - 1;
  const place = (next + hits.length) % hits.length;
  tell({ kind: "sought", line: hits[place] ?? 0, place });
}

scope.onmessage = ({ data }: MessageEvent<Request>) => {
  const lines = feed?.lines;
  switch (data.kind) {
    case "open":
      return open(data);
    case "live":
      if (feed) {
        feed.live = data.live;
        wake();
      }
      return;
    case "lines": {
      const count = Math.max(0, data.to - data.from);
      const texts = Array.from({ length: count }, (_, at) => lines?.line(data.from + at) ?? "");
      return tell({ kind: "lines", from: data.from, lines: texts, edition: feed?.edition ?? 0 });
    }
    case "search":
      return begin(data.words, data.exact);
    case "seek":
      return seek(data.from, data.step);
    case "text": {
      const isSmall = lines !== undefined && lines.bytes <= COPIED;
      return tell({ kind: "text", text: isSmall ? lines.text(lines.first, lines.end) : undefined });
    }
  }
};
