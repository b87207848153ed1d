import { url } from "./http";
import type { Change } from "./penstock";

/** How a stream of events stands: people see when what they look at may be old. */
export type Link = "connecting" | "open" | "lost";

interface Handlers<T> {
  onEvent: (event: T) => void;
  /** Changes were missed, or may have been: what is shown is to be read again. */
  onReset: () => void;
  onLink?: (link: Link) => void;
}

const KINDS = [
  "ready",
  "reset",
  "run_created",
  "run_state",
  "run_deleted",
  "run_command",
  "run_storage",
  "task_ended",
  "recurring_run_created",
  "recurring_run_edited",
  "recurring_run_enabled",
  "recurring_run_disabled",
  "recurring_run_deleted",
  "recurring_run_fired",
  "recurring_run_refused",
] as const;

/** Follows what changes in a namespace, until the returned function is called. */
export function followChanges(namespace: string, handlers: Handlers<Change>): () => void {
  const source = new EventSource(url("apis/penstock/v1/events", { namespace }));
  handlers.onLink?.("connecting");
  source.onopen = () => handlers.onLink?.("open");
  source.onerror = () => handlers.onLink?.("lost");
  for (const kind of KINDS) {
    source.addEventListener(kind, (event) => {
      if (kind === "ready" || kind === "reset") {
        handlers.onReset();
      } else {
        handlers.onEvent(JSON.parse((event as MessageEvent<string>).data) as Change);
      }
    });
  }
  return () => source.close();
}

/** A fact of a run; which members it has beside depends on `fact`. */
export interface RunEvent {
  seq: number;
  at: string;
  fact: { fact: string; node?: number };
}

/** Follows what happens in a run after the fact of a number, until it has ended or the returned function is called. */
export function followRun(runId: string, after: number, handlers: Handlers<RunEvent>): () => void {
  const source = new EventSource(url(`apis/penstock/v1/runs/${encodeURIComponent(runId)}/events`, { after }));
  handlers.onLink?.("connecting");
  source.onopen = () => handlers.onLink?.("open");
  source.onerror = () => handlers.onLink?.(source.readyState === EventSource.CLOSED ? "open" : "lost");
  source.onmessage = (event: MessageEvent<string>) => handlers.onEvent(JSON.parse(event.data) as RunEvent);
  return () => source.close();
}
