import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import { followChanges, type Link } from "../api/events";
import { throttled } from "../model/throttle";
import { useNamespace } from "./namespace";
import { addStale, isMissed, isStale, nothingStale } from "./stale";

const LinkContext = createContext<Link>("connecting");

/** How the stream of changes stands. */
export function useLink(): Link {
  return useContext(LinkContext);
}

const PAUSE_MS = 250;

/** Keeps what pages show up to date, by the namespace's stream of changes: one for all pages. */
export function Live({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const namespace = useNamespace();
  const [link, setLink] = useState<Link>("connecting");
  useEffect(() => {
    let waiting = nothingStale();
    const refresh = throttled(() => {
      const stale = waiting;
      waiting = nothingStale();
      void client.invalidateQueries({ predicate: (query) => isStale(stale, query.queryKey) });
    }, PAUSE_MS);
    let wasLost = false;
    const stop = followChanges(namespace, {
      onLink: (next) => {
        setLink(next);
        if (next === "open" && wasLost) {
          void client.invalidateQueries({
            predicate: (query) => isMissed(query.state) || query.queryKey[0] === "system",
          });
        }
        wasLost = next === "lost";
      },
      onReset: () => void client.invalidateQueries(),
      onEvent: (change) => {
        addStale(waiting, change);
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
