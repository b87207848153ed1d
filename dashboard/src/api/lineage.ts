import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { ask } from "./http";
import type { Artifact, Producer } from "./penstock";

const path = (id: string) => `apis/penstock/v1/artifacts/${encodeURIComponent(id)}`;

/** A task that took an artifact, or put it out. */
export interface Use extends Producer {
  input?: string;
  taken_at?: string;
  cached?: boolean;
}

export interface ArtifactDetail extends Artifact {
  schema_version?: string;
  runs?: Use[];
  consumers?: Use[];
}

export interface Lineage {
  artifact_id: string;
  artifacts?: Artifact[];
  executions?: (Producer & { execution_id: string })[];
  edges?: { artifact_id: string; execution_id: string; kind: "input" | "output"; name: string }[];
  /** There is more around it. */
  cut?: boolean;
}

export type LineageDirection = "both" | "upstream" | "downstream";

export function artifactDetailQuery(id: string) {
  return queryOptions({
    queryKey: ["artifacts", id],
    queryFn: ({ signal }) => ask<ArtifactDetail>(path(id), { signal }),
  });
}

export function lineageQuery(id: string, direction: LineageDirection, depth: number) {
  return queryOptions({
    queryKey: ["artifacts", id, "lineage", direction, depth],
    queryFn: ({ signal }) =>
      ask<Lineage>(`${path(id)}/lineage`, { query: { direction, depth, max_nodes: 200 }, signal }),
  });
}

type UsePage = { consumers?: Use[]; runs?: Use[]; next_page_token?: string };

/** Tasks that took an artifact, or that have put it out. */
export function usesQuery(id: string, kind: "consumers" | "runs") {
  return infiniteQueryOptions({
    queryKey: ["artifacts", id, kind],
    queryFn: ({ pageParam, signal }) =>
      ask<UsePage>(`${path(id)}/${kind}`, { query: { page_size: 50, page_token: pageParam }, signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token || undefined,
  });
}
