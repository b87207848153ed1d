/** What is done to pipelines and their versions: apart from how they are read, which more pages need. */
import { ask } from "./http";
import type { Pipeline, PipelineVersion } from "./kfp";
import { pipelinePath } from "./pipelines";

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

export const deletePipeline = (id: string) => ask(pipelinePath(id), { method: "DELETE", query: { cascade: true } });
export const deleteVersion = (id: string, version: string) =>
  ask(`${pipelinePath(id)}/versions/${encodeURIComponent(version)}`, { method: "DELETE" });
/** All tags that it has from now on. */
export const tagPipeline = (id: string, tags: Record<string, string>) =>
  ask<Pipeline>(pipelinePath(id), { method: "PATCH", body: { tags } });
export const tagVersion = (id: string, version: string, tags: Record<string, string>) =>
  ask<PipelineVersion>(`${pipelinePath(id)}/versions/${encodeURIComponent(version)}`, {
    method: "PATCH",
    body: { tags },
  });
