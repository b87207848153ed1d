import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { followRun, type Link, type RunEvent } from "../../api/events";
import { runQuery, treeQuery } from "../../api/runs";
import { isOfThePast } from "../../app/stale";
import { refresher } from "../../model/refresh";
import { isFinal, standingOf } from "../../model/state";

const PAUSE_MS = 250;

/** What happens to the run itself, and not to a task of it. */
const OF_THE_RUN = new Set(["runStarted", "cancelRequested", "deadlineExceeded", "retryRequested", "runEnded"]);

/**
 * Keeps all that is shown of a run up to date by the run's own stream, from when its tree is there until it has ended,
 * and again when it goes on.
 */
export function useFollowing(runId: string, treeStatus: string | undefined, runState: string | undefined): Link {
  const client = useQueryClient();
  const [link, setLink] = useState<Link>("connecting");
  const followed = useRef(false);
  const isKnown = treeStatus !== undefined;
  const isOpen = treeStatus !== undefined && !isFinal(standingOf(treeStatus));
  const isResumed = runState !== undefined && !isFinal(standingOf(runState));
  useEffect(() => {
    if (!isOpen) {
      if (followed.current) {
        // What was read beside the tree may be of a moment before the end.
        followed.current = false;
        void client.invalidateQueries({ queryKey: ["tree", runId] });
        void client.invalidateQueries({ queryKey: ["run", runId] });
      }
      return;
    }
    followed.current = true;
    return follow(client, runId, setLink);
  }, [client, runId, isOpen]);
  useEffect(() => {
    if (isKnown && isResumed && !isOpen) {
      void client.invalidateQueries({ queryKey: ["tree", runId] });
    }
  }, [client, runId, isKnown, isResumed, isOpen]);
  return link;
}

function follow(client: ReturnType<typeof useQueryClient>, runId: string, onLink: (link: Link) => void): () => void {
  const tree = refresher(
    () =>
      client.invalidateQueries({ queryKey: ["tree", runId], predicate: (query) => !isOfThePast(query.queryKey[2]) }),
    PAUSE_MS,
  );
  const run = refresher(() => client.invalidateQueries({ queryKey: ["run", runId] }), PAUSE_MS);
  const after = client.getQueryData(treeQuery(runId).queryKey)?.seq ?? 0;
  const stop = followRun(runId, after, {
    onLink,
    onReset: tree.call,
    onEvent: (event: RunEvent) => {
      tree.call();
      if (OF_THE_RUN.has(event.fact.fact)) {
        run.call();
      }
    },
  });
  return () => {
    stop();
    tree.cancel();
    run.cancel();
  };
}

/** Says at once what somebody asked for, before the stream does. */
export function useRefresh(runId: string): () => Promise<unknown> {
  const client = useQueryClient();
  return () =>
    Promise.all([
      client.invalidateQueries({ queryKey: runQuery(runId).queryKey }),
      client.invalidateQueries({ queryKey: ["tree", runId] }),
      client.invalidateQueries({ queryKey: ["runs"] }),
    ]);
}
