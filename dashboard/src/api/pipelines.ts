import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { filterText, type Predicate } from "./filter";
import { ask } from "./http";
import type { Pipeline, PipelinePage, PipelineVersion, VersionPage } from "./kfp";

export const pipelinePath = (id: string) => `apis/v2beta1/pipelines/${encodeURIComponent(id)}`;

export function pipelinesQuery(namespace: string, predicates: readonly Predicate[] = [], sort = "created_at desc") {
  const query = { namespace, sort_by: sort, page_size: 50, filter: filterText(predicates) };
  return infiniteQueryOptions({
    queryKey: ["pipelines", query],
    queryFn: ({ pageParam, signal }) =>
      ask<PipelinePage>("apis/v2beta1/pipelines", { query: { ...query, page_token: pageParam }, signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token || undefined,
  });
}

export function pipelineQuery(id: string) {
  return queryOptions({
    queryKey: ["pipelines", id],
    queryFn: ({ signal }) => ask<Pipeline>(pipelinePath(id), { signal }),
    enabled: id !== "",
  });
}

export function versionsQuery(id: string) {
  return infiniteQueryOptions({
    queryKey: ["pipelines", id, "versions"],
    queryFn: ({ pageParam, signal }) =>
      ask<VersionPage>(`${pipelinePath(id)}/versions`, {
        query: { page_size: 50, sort_by: "created_at desc", page_token: pageParam },
        signal,
      }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token || undefined,
    enabled: id !== "",
  });
}

export function versionQuery(id: string, version: string) {
  return queryOptions({
    queryKey: ["pipelines", id, "versions", version],
    queryFn: ({ signal }) =>
      ask<PipelineVersion>(`${pipelinePath(id)}/versions/${encodeURIComponent(version)}`, { signal }),
    enabled: id !== "" && version !== "",
  });
}
