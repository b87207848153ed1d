/** How a stream of events stands: people see when what they look at may be old. */
export type Link = "connecting" | "open" | "lost";

/** What is used of the browser's `EventSource`. */
export interface Source {
  readonly readyState: number;
  addEventListener(kind: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

interface Following {
  /** Asks for what is behind an event; for what comes from now on, or from the beginning, where none is known. */
  open: (after: string | undefined) => Source;
  kinds: readonly string[];
  onEvent: (kind: string, data: string) => void;
  onLink: (link: Link) => void;
  /** Whether nothing more is to come when the server ends it. */
  isOver: () => boolean;
}

/** State of a source that the browser has given up. */
const CLOSED = 2;
const LONGEST_PAUSE_MS = 30_000;

/** How long is waited before a stream is asked for again that was refused so often before. */
export const pauseAfter = (refusals: number) => Math.min(1000 * 2 ** refusals, LONGEST_PAUSE_MS);

/**
 * Follows a stream of events until the returned function is called. A browser asks again by itself when a connection
 * breaks off, but never when it is refused, as a proxy does while the server behind it starts again: then it is asked for
 * anew behind the last event.
 */
export function followStream({ open, kinds, onEvent, onLink, isOver }: Following): () => void {
  let source: Source;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last: string | undefined;
  let refusals = 0;
  const begin = () => {
    source = open(last);
    source.addEventListener("open", () => {
      refusals = 0;
      onLink("open");
    });
    source.addEventListener("error", () => {
      if (source.readyState !== CLOSED) {
        onLink("lost");
        return;
      }
      if (isOver()) {
        onLink("open");
        return;
      }
      onLink("lost");
      timer = setTimeout(begin, pauseAfter(refusals));
      refusals += 1;
    });
    for (const kind of kinds) {
      source.addEventListener(kind, (event) => {
        last = event.lastEventId || last;
        onEvent(kind, event.data);
      });
    }
  };
  onLink("connecting");
  begin();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
