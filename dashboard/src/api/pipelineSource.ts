import { queryOptions } from "@tanstack/react-query";
import { answer, url } from "./http";

const sourcePath = (id: string, version: string) =>
  `apis/penstock/v1/pipelines/${encodeURIComponent(id)}/versions/${encodeURIComponent(version)}/source`;

/** Where a version is read as it was uploaded. */
export const sourceUrl = (id: string, version: string) => url(sourcePath(id, version));

/** A version as it was uploaded; it never changes. */
export function sourceQuery(id: string, version: string) {
  return queryOptions({
    queryKey: ["source", id, version],
    queryFn: async ({ signal }) => (await answer(sourcePath(id, version), { signal })).text(),
    staleTime: Number.POSITIVE_INFINITY,
  });
}
