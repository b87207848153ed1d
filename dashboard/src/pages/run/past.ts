import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useState } from "react";
import type { Tree } from "../../api/penstock";
import { treeQuery } from "../../api/runs";
import { useAddressWords } from "../../app/query";
import { asItWas, countUntil, instantIn, wordOf } from "../../model/instant";

/** Browsers refuse to have the address changed as often as a slider moves. */
const STILL_MS = 250;

/** The instant that is looked at, in milliseconds. The address has it as soon as it stays. */
export function useInstant(): [number | undefined, (at: number | undefined) => void] {
  const [query, change] = useAddressWords();
  const told = instantIn(query.get("at"));
  const [moving, setMoving] = useState<{ at: number | undefined }>();
  const isTold = moving !== undefined && moving.at === told;
  useEffect(() => {
    if (isTold) {
      setMoving(undefined);
      return;
    }
    const timer = moving && window.setTimeout(() => change({ at: wordOf(moving.at) }), STILL_MS);
    return () => window.clearTimeout(timer);
  }, [moving, isTold, change]);
  const set = useCallback((at: number | undefined) => setMoving({ at: at === undefined ? at : Math.round(at) }), []);
  return [moving ? moving.at : told, set];
}

export interface Past {
  /** The run as it was; until that is known, nothing. */
  tree: Tree | undefined;
  /** The number of the last event until then. */
  seq: number | undefined;
  error: Error | null;
  retry: () => void;
}

/** A run as it was at an instant, as the server tells of it. */
export function usePast(runId: string, present: Tree | undefined, instant: number | undefined): Past {
  const client = useQueryClient();
  const count = present?.seq ?? 0;
  const key = ["moments", runId];
  const known = client.getQueryData<number[]>(key) ?? [];
  const isKnown = known.length >= count || (instant !== undefined && instant < (known.at(-1) ?? 0));
  const moments = useQuery({
    queryKey: key,
    queryFn: async ({ signal }) => {
      const { readMoments } = await import("../../api/moments");
      return readMoments(runId, client.getQueryData<number[]>(key) ?? [], count, signal);
    },
    enabled: instant !== undefined && present !== undefined && !isKnown,
    refetchOnWindowFocus: false,
    staleTime: 0,
  });
  const { data } = moments;
  // Before its first event a run has no tasks.
  const seq = instant === undefined || !data || !isKnown ? undefined : Math.max(1, countUntil(data, instant));
  const past = useQuery({
    ...treeQuery(runId, { at: seq ?? 0 }),
    enabled: seq !== undefined,
    placeholderData: keepPreviousData,
  });
  const then = instant === undefined ? undefined : past.data;
  const tree = useMemo(
    () => (present && then ? { ...then, nodes: asItWas(present.nodes, then.nodes) } : undefined),
    [present, then],
  );
  return {
    tree,
    seq,
    error: instant === undefined ? null : (moments.error ?? past.error),
    retry: () => void (moments.isError ? moments.refetch() : past.refetch()),
  };
}
