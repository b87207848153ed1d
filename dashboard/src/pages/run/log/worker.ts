/** Holds a log and searches it, so that the page only ever has the lines that it shows. */
import { throttled } from "../../../model/throttle";
import { Handover } from "./handover";
import { COPIED, type Reply, type Request } from "./protocol";
import { Reading } from "./reading";
import { Search } from "./search";

const scope = self as unknown as DedicatedWorkerGlobalScope;
const TELL_MS = 100;

const logs = new Handover(anew);
let edition = 0;
let search: Search | undefined;
let asked: { words: string; exact: boolean } | undefined;
let isSearching = false;
/** Ends a pause early. */
let wake: () => void = () => undefined;

const tell = (reply: Reply) => scope.postMessage(reply);

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
    if (ms > 0) {
      wake = done;
    }
  });
}

function tellGrown(): void {
  if (logs.shown && logs.newest) {
    logs.shown.reach();
    const { feed, times, span } = logs.shown;
    const { first, end, bytes, longest, isOpen } = feed.lines;
    const { standing } = logs.newest.feed;
    tell({ kind: "grown", standing, first, end, bytes, longest, isOpen, edition, times, span });
  }
}

const grown = throttled(tellGrown, TELL_MS);

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
  while (logs.shown && search?.advance(logs.shown.feed.lines, logs.shown.feed.isOver, logs.shown.isStamped)) {
    found.call();
    await new Promise((resolve) => setTimeout(resolve, 0));
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

/** Other lines than before: what was found in those is nowhere. */
function anew(): void {
  edition += 1;
  begin(asked?.words ?? "", asked?.exact ?? false);
  // At once, so that what is told of lines from now on is known to be of these.
  tellGrown();
}

function heard(reading: Reading): void {
  const isOther = reading.look();
  logs.heard(reading);
  if (reading === logs.shown && isOther) {
    anew();
  } else {
    changed();
  }
}

function open(request: Extract<Request, { kind: "open" }>): void {
  const ask = (address: string, signal: AbortSignal) => fetch(address, { signal, headers: { accept: "text/plain" } });
  const reading = new Reading(request, { ask, pause: sleep, now: Date.now }, heard);
  logs.begin(reading);
  void reading.run();
}

function part(from: number, to: number): void {
  const { shown } = logs;
  const before = shown?.span;
  tell({ kind: "lines", from, edition, ...(shown?.part(from, to) ?? { lines: [], times: undefined }) });
  if (shown?.span !== before) {
    grown.call();
  }
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
  switch (data.kind) {
    case "open":
      return open(data);
    case "live":
      if (logs.newest) {
        logs.newest.feed.live = data.live;
        wake();
      }
      return;
    case "lines":
      return part(data.from, data.to);
    case "search":
      return begin(data.words, data.exact);
    case "seek":
      return seek(data.from, data.step);
    case "text":
      return tell({ kind: "text", text: logs.shown?.text(COPIED) });
  }
};
