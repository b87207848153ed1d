/** Names of what runs refer to by id alone. */
import { useQueries } from "@tanstack/react-query";
import { experimentQuery } from "./experiments";
import { pipelineQuery } from "./pipelines";

const HOUR_MS = 3_600_000;

/** Names of experiments by id, as far as they are known yet. */
export function useExperimentNames(ids: readonly string[]): ReadonlyMap<string, string> {
  const unique = [...new Set(ids)].filter((id) => id !== "");
  return useQueries({
    queries: unique.map((id) => ({ ...experimentQuery(id), staleTime: HOUR_MS, retry: false })),
    combine: (found) =>
      new Map(found.flatMap(({ data }) => (data ? [[data.experiment_id, data.display_name] as const] : []))),
  });
}

/** Names of pipelines by id, as far as they are known yet. */
export function usePipelineNames(ids: readonly string[]): ReadonlyMap<string, string> {
  const unique = [...new Set(ids)].filter((id) => id !== "");
  return useQueries({
    queries: unique.map((id) => ({ ...pipelineQuery(id), staleTime: HOUR_MS, retry: false })),
    combine: (found) =>
      new Map(found.flatMap(({ data }) => (data ? [[data.pipeline_id, data.display_name] as const] : []))),
  });
}
