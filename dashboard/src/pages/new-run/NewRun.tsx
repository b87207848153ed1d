import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useNavigate } from "react-router";
import type { Run } from "../../api/kfp";
import { pipelineQuery, versionQuery } from "../../api/pipelines";
import { createRun, runQuery } from "../../api/runs";
import { systemQuery } from "../../api/system";
import { useNamespace } from "../../app/namespace";
import { useAddressQuery, useAddressWords } from "../../app/query";
import { to } from "../../app/routes";
import { Button } from "../../design/Button";
import { Confirm } from "../../design/Confirm";
import { Failed, Loading } from "../../design/Notice";
import { Card, Page } from "../../design/Page";
import { answersOf, collect, definitions, pipelineOf } from "../../model/parameters";
import { bodyOf, firstTyped, pickedOf, picking } from "./draft";
import { Elsewhere } from "./Elsewhere";
import { useKept } from "./kept";
import { useLatestVersion } from "./latest";
import { useLeaving } from "./leaving";
import style from "./NewRun.module.css";
import { ParameterFields } from "./ParameterFields";
import { type ChosenVersion, PipelineField } from "./PipelineField";
import { Settings } from "./Settings";

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
      <Form key={cloned} name={cloned} source={source.data} query={query} />
    </Page>
  );
}

function Form({ name, source, query }: { name: string; source: Run | undefined; query: URLSearchParams }) {
  const navigate = useNavigate();
  const [, put] = useAddressWords();
  const isShared = useQuery(systemQuery(useNamespace())).data?.multi_user === true;
  const [first] = useState(() => firstTyped(source));
  const { kept, change, isUnsaved, forget } = useKept(`new-run.${name}`, first);
  const leaving = useLeaving(isUnsaved);
  const [isSent, setIsSent] = useState(false);
  const picked = pickedOf(source, query);
  const pipeline = usePipeline(picked.chosen, source);
  const parameters = definitions(pipeline.spec);
  const answers = kept.given ?? answersOf(parameters, source?.runtime_config?.parameters);
  const { values, problems } = collect(parameters, answers);
  const draft = { ...kept.typed, ...picked };
  const named = { ...draft, name: draft.name.trim() || pipeline.defaultName };
  const body = bodyOf(named, values, pipeline.inline, pipeline.versionId);
  const isHomeless = isShared && picked.experimentId === "";
  const sending = useMutation({
    mutationFn: () => createRun(body),
    onSuccess: (run) => {
      forget();
      leaving.letGo();
      void navigate(to.run(run.run_id));
    },
  });
  const send = (event: FormEvent) => {
    event.preventDefault();
    setIsSent(true);
    if (problems.length === 0 && pipeline.spec && !isHomeless) {
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
              <PipelineField chosen={draft.chosen} onChoose={(chosen) => put(picking({ ...picked, chosen }))} />
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
                onChange={(name, text) => change({ given: { ...answers, [name]: text } })}
              />
            ) : pipeline.isLoading ? (
              <Loading what="Reading the pipeline" />
            ) : (
              <p className="soft">Choose a pipeline first.</p>
            )}
          </div>
        </Card>
        <Settings
          draft={draft}
          defaultName={pipeline.defaultName}
          mustChoose={isShared}
          isMissing={isSent && isHomeless}
          onType={(typed) => change({ typed: { ...kept.typed, ...typed } })}
          onExperiment={(experimentId) => put(picking({ experimentId }))}
        />
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
      {pipeline.spec && (
        <Elsewhere
          draft={named}
          isShared={isShared}
          source={
            pipeline.inline
              ? { runId: source?.run_id ?? "" }
              : { pipelineId: picked.chosen.pipelineId, versionId: pipeline.versionId }
          }
          values={values}
          body={body}
          missing={problems.length}
        />
      )}
      {leaving.held && (
        <Confirm
          title="Leave without starting the run?"
          action="Leave"
          perform={async () => {
            forget();
            leaving.letGo();
            leaving.held?.();
          }}
          onClose={leaving.stay}
        >
          What you typed is thrown away.
        </Confirm>
      )}
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
