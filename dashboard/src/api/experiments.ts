import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { filterText, type Predicate } from "./filter";
import { ask } from "./http";
import type { Experiment, ExperimentPage, StorageState } from "./kfp";

const path = (id: string) => `apis/v2beta1/experiments/${encodeURIComponent(id)}`;

export function experimentsQuery(
  namespace: string,
  storage: StorageState = "AVAILABLE",
  predicates: readonly Predicate[] = [],
  sort = "last_run_created_at desc",
) {
  const stored: Predicate = { key: "storage_state", operation: "EQUALS", string_value: storage };
  const query = { namespace, sort_by: sort, page_size: 50, filter: filterText([...predicates, stored]) };
  return infiniteQueryOptions({
    queryKey: ["experiments", query],
    queryFn: ({ pageParam, signal }) =>
      ask<ExperimentPage>("apis/v2beta1/experiments", { query: { ...query, page_token: pageParam }, signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token || undefined,
  });
}

export function experimentQuery(id: string) {
  return queryOptions({
    queryKey: ["experiments", id],
    queryFn: ({ signal }) => ask<Experiment>(path(id), { signal }),
    enabled: id !== "",
  });
}

export const createExperiment = (experiment: { display_name: string; description?: string; namespace?: string }) =>
  ask<Experiment>("apis/v2beta1/experiments", { method: "POST", body: experiment });
export const archiveExperiment = (id: string) => ask(`${path(id)}:archive`, { method: "POST" });
export const unarchiveExperiment = (id: string) => ask(`${path(id)}:unarchive`, { method: "POST" });
export const deleteExperiment = (id: string) => ask(path(id), { method: "DELETE" });
