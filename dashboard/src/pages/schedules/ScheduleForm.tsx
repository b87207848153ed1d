import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { Json, RecurringRun } from "../../api/kfp";
import { versionQuery } from "../../api/pipelines";
import { createSchedule, editSchedule } from "../../api/schedules";
import { useAddressQuery } from "../../app/query";
import { Button } from "../../design/Button";
import { Field } from "../../design/Field";
import { Failed } from "../../design/Notice";
import { Card } from "../../design/Page";
import { TextField } from "../../design/TextField";
import { cachingOf } from "../../model/caching";
import { type Answers, answersOf, collect, definitions, pipelineOf } from "../../model/parameters";
import { FIRST_TIMING, type Timing, timingOf, triggerOf } from "../../model/schedule";
import { CachingField } from "../new-run/CachingField";
import { ExperimentField } from "../new-run/ExperimentField";
import { useLatestVersion } from "../new-run/latest";
import { ParameterFields } from "../new-run/ParameterFields";
import { type ChosenVersion, PipelineField } from "../new-run/PipelineField";
import style from "./Schedules.module.css";
import { TimingFields } from "./TimingFields";

interface Draft {
  name: string;
  description: string;
  experimentId: string;
  chosen: ChosenVersion;
  caching: "" | "on" | "off";
  concurrency: string;
  catchUp: boolean;
}

function firstDraft(existing: RecurringRun | undefined, query: URLSearchParams): Draft {
  const reference = existing?.pipeline_version_reference;
  return {
    name: existing?.display_name ?? "",
    description: existing?.description ?? "",
    experimentId: existing?.experiment_id ?? query.get("experimentId") ?? "",
    chosen: {
      pipelineId: reference?.pipeline_id ?? query.get("pipelineId") ?? "",
      versionId: reference?.pipeline_version_id ?? query.get("pipelineVersionId") ?? "",
    },
    caching: cachingOf(existing),
    concurrency: existing?.max_concurrency ?? "1",
    catchUp: !(existing?.no_catchup ?? false),
  };
}

/** What both requests have in common. */
function changeOf(draft: Draft, values: Record<string, Json>, isInline: boolean) {
  const { chosen, caching } = draft;
  return {
    display_name: draft.name.trim(),
    description: draft.description.trim(),
    max_concurrency: draft.concurrency,
    no_catchup: !draft.catchUp,
    runtime_config: { parameters: values },
    ...(!isInline && {
      pipeline_version_reference: {
        pipeline_id: chosen.pipelineId,
        ...(chosen.versionId && { pipeline_version_id: chosen.versionId }),
      },
    }),
    ...(caching && { plugins_input: { penstock: { enable_caching: caching === "on" } } }),
  };
}

/** Makes a schedule, or changes one. */
export function ScheduleForm({ existing, onDone }: { existing?: RecurringRun; onDone: (id?: string) => void }) {
  const [query] = useAddressQuery();
  const client = useQueryClient();
  const [draft, setDraft] = useState(() => firstDraft(existing, query));
  const [timing, setTiming] = useState<Timing>(() => (existing ? timingOf(existing.trigger) : FIRST_TIMING));
  const [given, setGiven] = useState<Answers>();
  const isInline = existing?.pipeline_spec !== undefined;
  const latest = useLatestVersion(draft.chosen.pipelineId);
  const versionId = draft.chosen.versionId || (latest.version?.pipeline_version_id ?? "");
  const version = useQuery(versionQuery(draft.chosen.pipelineId, versionId));
  const spec = pipelineOf(isInline ? existing?.pipeline_spec : version.data?.pipeline_spec);
  const parameters = definitions(spec);
  const answers = given ?? answersOf(parameters, existing?.runtime_config?.parameters);
  const { values, problems } = collect(parameters, answers);
  const read = triggerOf(timing);
  const sending = useMutation({
    mutationFn: async () => {
      const trigger = "trigger" in read ? read.trigger : {};
      const change = { ...changeOf(draft, values, isInline), trigger };
      if (existing) {
        return editSchedule(existing.recurring_run_id, change);
      }
      const experiment = draft.experimentId ? { experiment_id: draft.experimentId } : {};
      return createSchedule({ ...change, ...experiment, mode: "ENABLE" });
    },
    onSuccess: async (made) => {
      await client.invalidateQueries({ queryKey: ["schedules"] });
      onDone(made.recurring_run_id);
    },
  });
  const change = (change: Partial<Draft>) => setDraft((before) => ({ ...before, ...change }));
  const isReady = draft.name.trim() !== "" && spec !== undefined && problems.length === 0 && "trigger" in read;
  const send = (event: FormEvent) => {
    event.preventDefault();
    sending.mutate();
  };
  return (
    <form className={style.form} onSubmit={send} noValidate>
      <Card title="What runs">
        <div className={style.padded}>
          {isInline ? (
            <p>The pipeline that was sent with the schedule: {spec?.pipelineInfo.name}</p>
          ) : (
            <PipelineField chosen={draft.chosen} latest onChoose={(chosen) => change({ chosen })} />
          )}
          {spec && (
            <ParameterFields
              parameters={parameters}
              answers={answers}
              problems={problems}
              onChange={(name, text) => setGiven({ ...answers, [name]: text })}
            />
          )}
        </div>
      </Card>
      <Card title="When">
        <div className={style.padded}>
          <TimingFields timing={timing} onChange={(it) => setTiming((before) => ({ ...before, ...it }))} />
        </div>
      </Card>
      <Card title="The schedule">
        <div className={style.padded}>
          <Settings draft={draft} isNew={!existing} onChange={change} />
        </div>
      </Card>
      {sending.isError && <Failed what="The schedule was not stored" error={sending.error} />}
      <div className={style.send}>
        <Button onClick={() => onDone(existing?.recurring_run_id)}>Cancel</Button>
        <Button type="submit" kind="primary" busy={sending.isPending} disabled={!isReady}>
          {existing ? "Save" : "Create"}
        </Button>
      </div>
    </form>
  );
}

function Settings({
  draft,
  isNew,
  onChange,
}: {
  draft: Draft;
  isNew: boolean;
  onChange: (change: Partial<Draft>) => void;
}) {
  return (
    <>
      <TextField label="Name" required value={draft.name} onChange={(name) => onChange({ name })} />
      <TextField label="Description" value={draft.description} onChange={(description) => onChange({ description })} />
      {isNew && <ExperimentField chosen={draft.experimentId} onChoose={(experimentId) => onChange({ experimentId })} />}
      <Field label="Runs at a time" hint="While so many are under way, further slots wait.">
        {(ids) => (
          <select
            {...ids}
            className="input"
            value={draft.concurrency}
            onChange={(event) => onChange({ concurrency: event.target.value })}
          >
            {Array.from({ length: 10 }, (_, index) => String(index + 1)).map((count) => (
              <option key={count}>{count}</option>
            ))}
          </select>
        )}
      </Field>
      <label>
        <input
          type="checkbox"
          checked={draft.catchUp}
          onChange={(event) => onChange({ catchUp: event.target.checked })}
        />{" "}
        Make up for slots that were missed, one after the other
      </label>
      <CachingField value={draft.caching} onChange={(caching) => onChange({ caching })} />
    </>
  );
}
