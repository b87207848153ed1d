import { useInfiniteQuery } from "@tanstack/react-query";
import { versionsQuery } from "../../api/pipelines";

/** The newest version of a pipeline: the one that runs when none is named. */
export function useLatestVersion(pipelineId: string) {
  const found = useInfiniteQuery(versionsQuery(pipelineId));
  return { version: found.data?.pages[0]?.pipeline_versions?.[0], isLoading: found.isLoading };
}
