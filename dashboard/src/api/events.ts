import { url } from "./http";
import type { Change } from "./penstock";
import { followStream, type Link } from "./stream";

export type { Link } from "./stream";

interface Handlers<T> {
  onEvent: (event: T) => void;
  /** Changes were missed, or may have been: what is shown is to be read again. */
  onReset: () => void;
  onLink: (link: Link) => void;
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
  return followStream({
    open: (after) => new EventSource(url("apis/penstock/v1/events", { namespace, after })),
    kinds: KINDS,
    onEvent: (kind, data) => {
      if (kind === "ready" || kind === "reset") {
        handlers.onReset();
      } else {
        handlers.onEvent(JSON.parse(data) as Change);
      }
    },
    onLink: handlers.onLink,
    isOver: () => false,
  });
}

/** A fact of a run; which members it has beside depends on `fact`. */
export interface RunEvent {
  seq: number;
  at: string;
  fact: { fact: string; node?: number };
}

/** Follows what happens in a run after the fact of a number, until it has ended or the returned function is called. */
export function followRun(runId: string, after: number, handlers: Handlers<RunEvent>): () => void {
  const path = `apis/penstock/v1/runs/${encodeURIComponent(runId)}/events`;
  let hasEnded = false;
  return followStream({
    open: (last) => new EventSource(url(path, { after: last ?? after })),
    kinds: ["message"],
    onEvent: (_, data) => {
      const event = JSON.parse(data) as RunEvent;
      hasEnded = event.fact.fact === "runEnded";
      handlers.onEvent(event);
    },
    onLink: handlers.onLink,
    // Behind its end there is nothing until it goes on, and then it is followed anew.
    isOver: () => hasEnded,
  });
}
