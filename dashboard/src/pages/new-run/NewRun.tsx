import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useNavigate } from "react-router";
import type { Run } from "../../api/kfp";
import { pipelineQuery, versionQuery } from "../../api/pipelines";
import { createRun, runQuery } from "../../api/runs";
import { useAddressQuery } from "../../app/query";
import { to } from "../../app/routes";
import { Button } from "../../design/Button";
import { Failed, Loading } from "../../design/Notice";
import { Card, Page } from "../../design/Page";
import { TextField } from "../../design/TextField";
import { cachingOf } from "../../model/caching";
import { type Answers, answersOf, collect, definitions, pipelineOf } from "../../model/parameters";
import { CachingField } from "./CachingField";
import { bodyOf, type Draft } from "./draft";
import { Elsewhere } from "./Elsewhere";
import { ExperimentField } from "./ExperimentField";
import { useLatestVersion } from "./latest";
import style from "./NewRun.module.css";
import { ParameterFields } from "./ParameterFields";
import { type ChosenVersion, PipelineField } from "./PipelineField";

export default function NewRun() {
  const [query] = useAddressQuery();
  const cloned = query.get("cloneFromRun") ?? query.get("cloneFromRunId") ?? "";
  const source = useQuery({ ...runQuery(cloned), enabled: cloned !== "" });
  if (cloned !== "" && source.isPending) {
    return (
      <Page title="New run">
        <Loading what="Reading the run to clone" />
      </Page>
    );
  }
  return (
    <Page title={cloned ? "Clone a run" : "New run"} crumbs={[{ name: "Runs", to: to.runs }]}>
      {source.isError && <Failed what="The run to clone cannot be read" error={source.error} />}
      <Form key={cloned} source={source.data} query={query} />
    </Page>
  );
}

function firstDraft(source: Run | undefined, query: URLSearchParams): Draft {
  const reference = source?.pipeline_version_reference;
  return {
    name: source ? `Clone of ${source.display_name}` : "",
    description: source?.description ?? "",
    experimentId: query.get("experimentId") ?? source?.experiment_id ?? "",
    chosen: {
      pipelineId: query.get("pipelineId") ?? reference?.pipeline_id ?? "",
      versionId: query.get("pipelineVersionId") ?? reference?.pipeline_version_id ?? "",
    },
    caching: cachingOf(source),
    pipelineRoot: source?.runtime_config?.pipeline_root ?? "",
    serviceAccount: source && source.service_account !== "pipeline-runner" ? (source.service_account ?? "") : "",
  };
}

function Form({ source, query }: { source: Run | undefined; query: URLSearchParams }) {
  const navigate = useNavigate();
  const [draft, setDraft] = useState(() => firstDraft(source, query));
  const [given, setGiven] = useState<Answers>();
  const [isSent, setIsSent] = useState(false);
  const pipeline = usePipeline(draft.chosen, source);
  const parameters = definitions(pipeline.spec);
  const answers = given ?? answersOf(parameters, source?.runtime_config?.parameters);
  const { values, problems } = collect(parameters, answers);
  const named = draft.name.trim() || pipeline.defaultName;
  const body = bodyOf({ ...draft, name: named }, values, pipeline.inline, pipeline.versionId);
  const sending = useMutation({
    mutationFn: () => createRun(body),
    onSuccess: (run) => void navigate(to.run(run.run_id)),
  });
  const change = (change: Partial<Draft>) => setDraft((before) => ({ ...before, ...change }));
  const send = (event: FormEvent) => {
    event.preventDefault();
    setIsSent(true);
    if (problems.length === 0 && pipeline.spec) {
      sending.mutate();
    } else {
      requestAnimationFrame(() => document.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
    }
  };
  return (
    <form className={style.form} onSubmit={send} noValidate>
      <div className={style.column}>
        <Card title="What runs">
          <div className={style.part}>
            {pipeline.inline ? (
              <p>
                The pipeline that was sent with the cloned run: <strong>{pipeline.spec?.pipelineInfo.name}</strong>
              </p>
            ) : (
              <PipelineField chosen={draft.chosen} onChoose={(chosen) => change({ chosen })} />
            )}
            {pipeline.error && <Failed what="The pipeline cannot be read" error={pipeline.error} />}
          </div>
        </Card>
        <Card title="Parameters">
          <div className={style.part}>
            {pipeline.spec ? (
              <ParameterFields
                parameters={parameters}
                answers={answers}
                problems={isSent ? problems : problems.filter((it) => answers[it.parameter] !== undefined)}
                onChange={(name, text) => setGiven({ ...answers, [name]: text })}
              />
            ) : pipeline.isLoading ? (
              <Loading what="Reading the pipeline" />
            ) : (
              <p className="soft">Choose a pipeline first.</p>
            )}
          </div>
        </Card>
        <Settings draft={draft} defaultName={pipeline.defaultName} onChange={change} />
        {sending.isError && <Failed what="The run was not started" error={sending.error} />}
        <div className={style.send}>
          {isSent && problems.length > 0 && (
            <span role="alert">
              {problems.length === 1 ? "One parameter is" : `${problems.length} parameters are`} not right yet.
            </span>
          )}
          <Button type="submit" kind="primary" icon="runs" busy={sending.isPending} disabled={!pipeline.spec}>
            Start the run
          </Button>
        </div>
      </div>
      <Elsewhere draft={{ ...draft, name: named }} versionId={pipeline.versionId} values={values} body={body} />
    </form>
  );
}

/** The pipeline that is chosen, or that a cloned run brought along. */
function usePipeline(chosen: ChosenVersion, source: Run | undefined) {
  const isInline = source !== undefined && !source.pipeline_version_reference && chosen.pipelineId === "";
  const pipeline = useQuery(pipelineQuery(chosen.pipelineId));
  const latest = useLatestVersion(chosen.pipelineId);
  const versionId = chosen.versionId || (latest.version?.pipeline_version_id ?? "");
  const version = useQuery(versionQuery(chosen.pipelineId, versionId));
  const [openedAt] = useState(() => new Date().toISOString().slice(0, 16).replace("T", " "));
  const found = pipelineOf(isInline ? source?.pipeline_spec : version.data?.pipeline_spec);
  const title = pipeline.data?.display_name ?? found?.pipelineInfo.name;
  return {
    spec: found,
    versionId,
    inline: isInline ? source?.pipeline_spec : undefined,
    isLoading: version.isLoading || latest.isLoading,
    error: version.error ?? pipeline.error,
    defaultName: title ? `${title} ${openedAt}` : "",
  };
}

function Settings({
  draft,
  defaultName,
  onChange,
}: {
  draft: Draft;
  defaultName: string;
  onChange: (change: Partial<Draft>) => void;
}) {
  return (
    <Card title="The run">
      <div className={style.part}>
        <TextField label="Name" value={draft.name} placeholder={defaultName} onChange={(name) => onChange({ name })} />
        <TextField
          label="Description"
          value={draft.description}
          onChange={(description) => onChange({ description })}
        />
        <ExperimentField chosen={draft.experimentId} onChoose={(experimentId) => onChange({ experimentId })} />
        <CachingField value={draft.caching} onChange={(caching) => onChange({ caching })} />
        <details>
          <summary>More settings</summary>
          <div className={style.part}>
            <TextField
              label="Pipeline root"
              hint="Where artifacts are stored, such as s3://bucket/prefix."
              value={draft.pipelineRoot}
              onChange={(pipelineRoot) => onChange({ pipelineRoot })}
            />
            <TextField
              label="Service account"
              hint="Of Kubernetes, under which the tasks run."
              value={draft.serviceAccount}
              onChange={(serviceAccount) => onChange({ serviceAccount })}
            />
          </div>
        </details>
      </div>
    </Card>
  );
}
