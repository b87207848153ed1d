import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import { followChanges, type Link } from "../api/events";
import type { Change } from "../api/penstock";
import { throttled } from "../model/throttle";
import { useNamespace } from "./namespace";

const LinkContext = createContext<Link>("connecting");

/** How the stream of changes stands. */
export function useLink(): Link {
  return useContext(LinkContext);
}

/** What is read again when something changes: the first words of the keys of queries. */
function stale(change: Change): string[] {
  if (change.kind.startsWith("recurring_run")) {
    return ["schedules"];
  }
  return change.kind === "task_ended" ? ["artifacts"] : ["runs", "run", "experiments", "artifacts"];
}

const PAUSE_MS = 250;

/** Keeps what pages show up to date, by the namespace's stream of changes: one for all pages. */
export function Live({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const namespace = useNamespace();
  const [link, setLink] = useState<Link>("connecting");
  useEffect(() => {
    let waiting = new Set<string>();
    const refresh = throttled(() => {
      const names = waiting;
      waiting = new Set();
      void client.invalidateQueries({ predicate: (query) => names.has(String(query.queryKey[0])) });
    }, PAUSE_MS);
    const stop = followChanges(namespace, {
      onLink: setLink,
      onReset: () => void client.invalidateQueries(),
      onEvent: (change) => {
        for (const name of stale(change)) {
          waiting.add(name);
        }
        refresh.call();
      },
    });
    return () => {
      stop();
      refresh.cancel();
    };
  }, [client, namespace]);
  return <LinkContext value={link}>{children}</LinkContext>;
}
