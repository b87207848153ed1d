/** A run that is being written, and the request that comes of it. */
import type { Json } from "../../api/kfp";
import type { NewRun } from "../../api/runs";
import type { ChosenVersion } from "./PipelineField";

export interface Draft {
  name: string;
  description: string;
  experimentId: string;
  chosen: ChosenVersion;
  caching: "" | "on" | "off";
  pipelineRoot: string;
  serviceAccount: string;
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
