import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { pipelineQuery, pipelinesQuery, versionQuery, versionsQuery } from "../../api/pipelines";
import { useNamespace } from "../../app/namespace";
import { Field } from "../../design/Field";
import { Picker } from "../../design/Picker";
import { isolated } from "../../model/bidi";
import { short } from "../../model/time";

export interface ChosenVersion {
  pipelineId: string;
  /** Empty for the latest. */
  versionId: string;
}

/** Which pipeline, and which version of it. */
export function PipelineField({
  chosen,
  latest,
  any,
  error,
  onChoose,
}: {
  chosen: ChosenVersion;
  /** Whether "the latest at each time" can be chosen. */
  latest?: boolean;
  /** What it means that no version is chosen, if it is not the latest. */
  any?: string;
  error?: string | undefined;
  onChoose: (chosen: ChosenVersion) => void;
}) {
  const namespace = useNamespace();
  const [text, setText] = useState("");
  const found = useInfiniteQuery(
    pipelinesQuery(
      namespace,
      text === "" ? [] : [{ key: "display_name", operation: "IS_SUBSTRING", string_value: text }],
    ),
  );
  const pipeline = useQuery(pipelineQuery(chosen.pipelineId));
  const options = found.data?.pages.flatMap((page) => page.pipelines ?? []) ?? [];
  return (
    <>
      <Field label="Pipeline" required={any === undefined} error={error}>
        {(ids) => (
          <Picker
            ids={ids}
            chosen={chosen.pipelineId === "" ? "" : (pipeline.data?.display_name ?? "")}
            placeholder="Choose a pipeline"
            isLoading={found.isFetching}
            options={options.map((it) => ({
              id: it.pipeline_id,
              name: it.display_name,
              note: short(Date.parse(it.created_at)),
            }))}
            onType={setText}
            onChoose={(option) => onChoose({ pipelineId: option.id, versionId: "" })}
          />
        )}
      </Field>
      {chosen.pipelineId !== "" && (
        <VersionField chosen={chosen} latest={latest ?? false} any={any} onChoose={onChoose} />
      )}
    </>
  );
}

function VersionField({
  chosen,
  latest,
  any,
  onChoose,
}: {
  chosen: ChosenVersion;
  latest: boolean;
  any: string | undefined;
  onChoose: (chosen: ChosenVersion) => void;
}) {
  const found = useInfiniteQuery(versionsQuery(chosen.pipelineId));
  const versions = found.data?.pages.flatMap((page) => page.pipeline_versions ?? []) ?? [];
  // One that is named by an address may be older than those that are listed.
  const named = useQuery(versionQuery(chosen.pipelineId, chosen.versionId));
  const isListed = versions.some((it) => it.pipeline_version_id === chosen.versionId);
  return (
    <Field label="Version">
      {(ids) => (
        <select
          {...ids}
          className="input"
          value={chosen.versionId}
          onChange={(event) => onChoose({ ...chosen, versionId: event.target.value })}
        >
          <option value="">
            {any ??
              (latest ? "The latest at each time" : `The latest${versions[0] ? `: ${versions[0].display_name}` : ""}`)}
          </option>
          {named.data && !isListed && <option value={chosen.versionId}>{named.data.display_name}</option>}
          {versions.map((it) => (
            <option key={it.pipeline_version_id} value={it.pipeline_version_id}>
              {isolated(it.display_name)} · {short(Date.parse(it.created_at))}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
