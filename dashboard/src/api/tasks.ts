/** What there is to ask about one task: its log, its Pod, the cache's answer. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { ask, url } from "./http";
import type { Json } from "./kfp";

const task = (run: string, id: string) =>
  `apis/penstock/v1/runs/${encodeURIComponent(run)}/tasks/${encodeURIComponent(id)}`;

/** Where the log of an attempt is read; with `follow` until the attempt has ended, with the time of each line or without. */
export const logUrl = (run: string, id: string, attempt: number, follow: boolean, timestamps: boolean) =>
  url(`${task(run, id)}/attempts/${attempt}/log`, {
    timestamps: timestamps || undefined,
    follow: follow || undefined,
  });

export interface CacheSource {
  run_id: string;
  task_path: string;
  cache_key?: string;
  created_at?: string;
}

export interface CacheDifference {
  field: string;
  then?: Json;
  now?: Json;
}

/** What became of a task's question to the cache. */
export interface CacheVerdict {
  outcome: "HIT" | "MISS" | "OFF" | "NOT_ASKED";
  reason: string;
  cache_key?: string;
  off_by?: string;
  /** Whether its own result is in the cache now. */
  stored?: boolean;
  source?: CacheSource;
  passed_over?: CacheSource;
  too_old?: boolean;
  nearest?: CacheSource & { differences?: CacheDifference[] };
}

export function cacheQuery(run: string, id: string) {
  return queryOptions({
    queryKey: ["tree", run, "cache", id],
    queryFn: ({ signal }) => ask<CacheVerdict>(`${task(run, id)}/cache`, { signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export interface PodContainer {
  name: string;
  image?: string;
  state?: string;
  reason?: string;
  message?: string;
  exit_code?: number;
  restarts?: number;
  started_at?: string;
  finished_at?: string;
}

export interface PodStatus {
  name: string;
  namespace: string;
  node?: string;
  phase: string;
  reason?: string;
  message?: string;
  containers?: PodContainer[];
  conditions?: { type: string; status: string; reason?: string; message?: string; at?: string }[];
  events?: { at?: string; type?: string; reason?: string; message?: string; count?: number }[];
  /** Why its events cannot be read, if they cannot. */
  events_error?: string;
}

const POD_EVERY_MS = 5_000;

/** The Pod of an attempt, as the cluster tells of it; nothing in the run's stream says when it changes. */
export function podQuery(run: string, id: string, attempt: number, isLive: boolean) {
  return queryOptions({
    queryKey: ["tree", run, "pod", id, attempt],
    queryFn: ({ signal }) => ask<PodStatus>(`${task(run, id)}/attempts/${attempt}/pod`, { signal }),
    refetchInterval: isLive ? POD_EVERY_MS : false,
  });
}

const artifact = (id: string) => `apis/penstock/v1/artifacts/${encodeURIComponent(id)}`;

/** The files of an artifact that is a directory, page after page. */
export function filesQuery(id: string) {
  return infiniteQueryOptions({
    queryKey: ["content", id, "files"],
    queryFn: ({ pageParam, signal }) =>
      ask<{ files?: { path: string; size?: number | string }[]; next_page_token?: string }>(`${artifact(id)}/files`, {
        query: { page_token: pageParam },
        signal,
      }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token || undefined,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export interface ArtifactTable {
  /** Of a column whose values are not shown, the note says why. */
  columns: { name: string; type?: string; note?: string }[];
  rows: Json[][];
  total_rows?: number;
  truncated?: boolean;
}

/** The first rows of an artifact, or of a file in it, that is a table. */
export function tableQuery(id: string, path: string | undefined, limit: number) {
  return queryOptions({
    queryKey: ["content", id, "table", path ?? "", limit],
    queryFn: ({ signal }) => ask<ArtifactTable>(`${artifact(id)}/table`, { query: { path, limit }, signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });
}
