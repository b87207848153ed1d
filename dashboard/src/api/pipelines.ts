import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { filterText, type Predicate } from "./filter";
import { answer, ask, url } from "./http";
import type { Pipeline, PipelinePage, PipelineVersion, VersionPage } from "./kfp";

const path = (id: string) => `apis/v2beta1/pipelines/${encodeURIComponent(id)}`;

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
    queryFn: ({ signal }) => ask<Pipeline>(path(id), { signal }),
    enabled: id !== "",
  });
}

export function versionsQuery(id: string) {
  return infiniteQueryOptions({
    queryKey: ["pipelines", id, "versions"],
    queryFn: ({ pageParam, signal }) =>
      ask<VersionPage>(`${path(id)}/versions`, {
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
    queryFn: ({ signal }) => ask<PipelineVersion>(`${path(id)}/versions/${encodeURIComponent(version)}`, { signal }),
    enabled: id !== "" && version !== "",
  });
}

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

interface Upload {
  file: File;
  name?: string;
  description?: string;
  namespace?: string;
  tags?: Record<string, string>;
}

function form(file: File): FormData {
  const form = new FormData();
  form.set("uploadfile", file);
  return form;
}

/** As the query of an upload has them. */
const tagText = (tags: Record<string, string> = {}) =>
  Object.keys(tags).length > 0 ? JSON.stringify(tags) : undefined;

export const uploadPipeline = ({ file, name, description, namespace, tags }: Upload) =>
  ask<Pipeline>("apis/v2beta1/pipelines/upload", {
    method: "POST",
    form: form(file),
    query: { name, display_name: name, description, namespace, tags: tagText(tags) },
  });

export const uploadVersion = (pipelineId: string, { file, name, description, tags }: Upload) =>
  ask<PipelineVersion>("apis/v2beta1/pipelines/upload_version", {
    method: "POST",
    form: form(file),
    query: { name, display_name: name, description, pipelineid: pipelineId, tags: tagText(tags) },
  });

export const deletePipeline = (id: string) => ask(path(id), { method: "DELETE", query: { cascade: true } });
export const deleteVersion = (id: string, version: string) =>
  ask(`${path(id)}/versions/${encodeURIComponent(version)}`, { method: "DELETE" });
/** All tags that it has from now on. */
export const tagPipeline = (id: string, tags: Record<string, string>) =>
  ask<Pipeline>(path(id), { method: "PATCH", body: { tags } });
export const tagVersion = (id: string, version: string, tags: Record<string, string>) =>
  ask<PipelineVersion>(`${path(id)}/versions/${encodeURIComponent(version)}`, { method: "PATCH", body: { tags } });
