import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { RecurringRun } from "../../api/kfp";
import { versionQuery } from "../../api/pipelines";
import { createSchedule, editSchedule } from "../../api/schedules";
import { systemQuery } from "../../api/system";
import { useNamespace } from "../../app/namespace";
import { useAddressWords } from "../../app/query";
import { Button } from "../../design/Button";
import { Confirm } from "../../design/Confirm";
import { Field } from "../../design/Field";
import { Failed } from "../../design/Notice";
import { Card } from "../../design/Page";
import { TextField } from "../../design/TextField";
import { answersOf, collect, definitions, pipelineOf } from "../../model/parameters";
import { triggerOf } from "../../model/schedule";
import { CachingField } from "../new-run/CachingField";
import { picking } from "../new-run/draft";
import { ExperimentField } from "../new-run/ExperimentField";
import { useKept } from "../new-run/kept";
import { useLatestVersion } from "../new-run/latest";
import { useLeaving } from "../new-run/leaving";
import { ParameterFields } from "../new-run/ParameterFields";
import { PipelineField } from "../new-run/PipelineField";
import { changeOf, firstTyped, type Missing, missingOf, pickedOf, type Typed, timed, timingIn } from "./draft";
import style from "./Schedules.module.css";
import { TimingFields } from "./TimingFields";

/** Makes a schedule, or changes one. */
export function ScheduleForm({ existing, onDone }: { existing?: RecurringRun; onDone: (id?: string) => void }) {
  const form = useForm(existing, onDone);
  const { typed, picked, parameters, problems, answers, missing, sending, leaving } = form;
  return (
    <form className={style.form} onSubmit={form.send} noValidate>
      <Card title="What runs">
        <div className={style.padded}>
          {form.isInline ? (
            <p>The pipeline that was sent with the schedule: {form.spec?.pipelineInfo.name}</p>
          ) : (
            <PipelineField chosen={picked.chosen} latest error={missing.pipeline} onChoose={form.choose} />
          )}
          {form.spec && (
            <ParameterFields
              parameters={parameters}
              answers={answers}
              problems={form.isSent ? problems : problems.filter((it) => answers[it.parameter] !== undefined)}
              onChange={(name, text) => form.change({ given: { ...answers, [name]: text } })}
            />
          )}
        </div>
      </Card>
      <Card title="When">
        <div className={style.padded}>
          <TimingFields timing={form.timing} onChange={(change) => form.type(timed(change))} />
        </div>
      </Card>
      <Card title="The schedule">
        <div className={style.padded}>
          <Settings
            typed={typed}
            experimentId={existing ? undefined : picked.experimentId}
            missing={missing}
            mustChoose={form.mustChoose}
            onType={form.type}
            onExperiment={form.chooseExperiment}
          />
        </div>
      </Card>
      {sending.isError && <Failed what="The schedule was not stored" error={sending.error} />}
      <div className={style.send}>
        {form.isSent && form.words && <span role="alert">{form.words}</span>}
        <Button onClick={() => onDone(existing?.recurring_run_id)}>Cancel</Button>
        <Button type="submit" kind="primary" busy={sending.isPending}>
          {existing ? "Save" : "Create"}
        </Button>
      </div>
      {leaving.held && (
        <Confirm
          title={existing ? "Leave without saving?" : "Leave without making the schedule?"}
          action="Leave"
          perform={async () => {
            form.forget();
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

const NOTHING_MISSING: Missing = {};

/** What is typed and chosen, what comes of it, and how it is stored. */
function useForm(existing: RecurringRun | undefined, onDone: (id?: string) => void) {
  const [query, put] = useAddressWords();
  const client = useQueryClient();
  const isShared = useQuery(systemQuery(useNamespace())).data?.multi_user === true;
  // What others change meanwhile is not what was begun with.
  const [first] = useState(() => firstTyped(existing));
  const { kept, change, isUnsaved, forget } = useKept(`schedule.${existing?.recurring_run_id ?? "new"}`, first);
  const leaving = useLeaving(isUnsaved);
  const [isSent, setIsSent] = useState(false);
  const picked = pickedOf(existing, query);
  const isInline = existing?.pipeline_spec !== undefined;
  const spec = useSpec(picked, isInline ? existing : undefined);
  const parameters = definitions(spec);
  const answers = kept.given ?? answersOf(parameters, existing?.runtime_config?.parameters);
  const { values, problems } = collect(parameters, answers);
  const timing = timingIn(kept.typed);
  const read = triggerOf(timing);
  const mustChoose = isShared && existing === undefined;
  const { missing, words } = missingOf({
    typed: kept.typed,
    picked,
    mustChoose,
    hasSpec: spec !== undefined,
    wrongParameters: problems.length,
    timing: "reason" in read ? read.reason : undefined,
  });
  const sending = useMutation({
    mutationFn: () => {
      const changed = changeOf(kept.typed, picked, values, "trigger" in read ? read.trigger : {}, existing);
      if (existing) {
        return editSchedule(existing.recurring_run_id, changed);
      }
      const experiment = picked.experimentId ? { experiment_id: picked.experimentId } : {};
      return createSchedule({ ...changed, ...experiment, mode: "ENABLE" });
    },
    onSuccess: async (made) => {
      forget();
      leaving.letGo();
      await client.invalidateQueries({ queryKey: ["schedules"] });
      onDone(made.recurring_run_id);
    },
  });
  const send = (event: FormEvent) => {
    event.preventDefault();
    setIsSent(true);
    if (words === "") {
      sending.mutate();
    } else {
      requestAnimationFrame(() => document.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
    }
  };
  return {
    ...{ typed: kept.typed, picked, timing, spec, isInline, parameters, answers, problems, mustChoose },
    ...{ isSent, missing: isSent ? missing : NOTHING_MISSING, words, sending, send, leaving, forget, change },
    type: (typed: Partial<Typed>) => change({ typed: { ...kept.typed, ...typed } }),
    choose: (chosen: typeof picked.chosen) => put(picking({ ...(!existing && picked), chosen })),
    chooseExperiment: (experimentId: string) => put(picking({ experimentId })),
  };
}

/** The pipeline that is chosen, or that a schedule brought along. */
function useSpec({ chosen }: ReturnType<typeof pickedOf>, inline: RecurringRun | undefined) {
  const latest = useLatestVersion(chosen.pipelineId);
  const versionId = chosen.versionId || (latest.version?.pipeline_version_id ?? "");
  const version = useQuery(versionQuery(chosen.pipelineId, versionId));
  return pipelineOf(inline ? inline.pipeline_spec : version.data?.pipeline_spec);
}

function Settings({
  typed,
  experimentId,
  missing,
  mustChoose,
  onType,
  onExperiment,
}: {
  typed: Typed;
  /** Of a new one; it cannot be changed later. */
  experimentId: string | undefined;
  missing: Missing;
  mustChoose: boolean;
  onType: (change: Partial<Typed>) => void;
  onExperiment: (id: string) => void;
}) {
  return (
    <>
      <TextField label="Name" required value={typed.name} error={missing.name} onChange={(name) => onType({ name })} />
      <TextField label="Description" value={typed.description} onChange={(description) => onType({ description })} />
      {experimentId !== undefined && (
        <ExperimentField
          chosen={experimentId}
          required={mustChoose}
          error={missing.experiment}
          onChoose={onExperiment}
        />
      )}
      <Field label="Runs at a time" hint="While so many are under way, further slots wait.">
        {(ids) => (
          <select
            {...ids}
            className="input"
            value={typed.concurrency}
            onChange={(event) => onType({ concurrency: event.target.value })}
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
          checked={typed.catchUp === "yes"}
          onChange={(event) => onType({ catchUp: event.target.checked ? "yes" : "no" })}
        />{" "}
        Make up for slots that were missed, one after the other
      </label>
      <CachingField value={typed.caching} onChange={(caching) => onType({ caching })} />
    </>
  );
}
