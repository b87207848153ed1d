/** A run that is being written, and the request that comes of it. */
import type { Json, Run } from "../../api/kfp";
import type { NewRun } from "../../api/runs";
import { cachingOf } from "../../model/caching";
import type { ChosenVersion } from "./PipelineField";

/** What is typed; it is kept in the tab. */
export interface Typed {
  name: string;
  description: string;
  caching: "" | "on" | "off";
  pipelineRoot: string;
  serviceAccount: string;
}

/** What is chosen; it stands in the address. */
export interface Picked {
  experimentId: string;
  chosen: ChosenVersion;
}

export type Draft = Typed & Picked;

export function firstTyped(source: Run | undefined): Typed {
  return {
    name: source ? `Clone of ${source.display_name}` : "",
    description: source?.description ?? "",
    caching: cachingOf(source),
    pipelineRoot: source?.runtime_config?.pipeline_root ?? "",
    serviceAccount: source && source.service_account !== "pipeline-runner" ? (source.service_account ?? "") : "",
  };
}

/** What the address says, else what the cloned run has. An address that names a pipeline says all of it. */
export function pickedOf(source: Run | undefined, query: URLSearchParams): Picked {
  const reference = source?.pipeline_version_reference;
  return {
    experimentId: query.get("experimentId") ?? source?.experiment_id ?? "",
    chosen: query.has("pipelineId")
      ? { pipelineId: query.get("pipelineId") ?? "", versionId: query.get("pipelineVersionId") ?? "" }
      : { pipelineId: reference?.pipeline_id ?? "", versionId: reference?.pipeline_version_id ?? "" },
  };
}

/** The words of an address in which something is chosen. */
export function picking({ experimentId, chosen }: Partial<Picked>): Record<string, string> {
  return {
    ...(experimentId !== undefined && { experimentId }),
    ...(chosen && { pipelineId: chosen.pipelineId, pipelineVersionId: chosen.versionId }),
  };
}

/** The request. What was not said is left out, so that the server's defaults hold. */
export function bodyOf(draft: Draft, values: Record<string, Json>, inline: unknown, versionId: string): NewRun {
  const { chosen, caching } = draft;
  const root = draft.pipelineRoot.trim();
  const account = draft.serviceAccount.trim();
  return {
    display_name: draft.name,
    ...(draft.description.trim() && { description: draft.description.trim() }),
    ...(draft.experimentId && { experiment_id: draft.experimentId }),
    ...(inline
      ? { pipeline_spec: inline as Json }
      : { pipeline_version_reference: { pipeline_id: chosen.pipelineId, pipeline_version_id: versionId } }),
    runtime_config: { parameters: values, ...(root && { pipeline_root: root }) },
    ...(account && { service_account: account }),
    ...(caching && { plugins_input: { penstock: { enable_caching: caching === "on" } } }),
  };
}
