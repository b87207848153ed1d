import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate, useParams } from "react-router";
import type { RecurringRun } from "../../api/kfp";
import { useExperimentNames, usePipelineNames } from "../../api/names";
import {
  deleteSchedule,
  disableSchedule,
  enableSchedule,
  nextTimesQuery,
  runScheduleNow,
  scheduleQuery,
} from "../../api/schedules";
import { useAddressQuery } from "../../app/query";
import { to } from "../../app/routes";
import { Button } from "../../design/Button";
import { Confirm } from "../../design/Confirm";
import { Failed, Loading, Notice } from "../../design/Notice";
import { Card, Page } from "../../design/Page";
import { triggerWords } from "../../model/cron";
import { instant, local } from "../../model/time";
import { History } from "./History";
import { Mode } from "./Mode";
import { NextTimes } from "./NextTimes";
import { ScheduleForm } from "./ScheduleForm";
import style from "./Schedules.module.css";
import { useScheduleZone } from "./zone";

export default function Schedule() {
  const { scheduleId = "" } = useParams();
  const schedule = useQuery(scheduleQuery(scheduleId));
  const [query] = useAddressQuery();
  const navigate = useNavigate();
  const name = schedule.data?.display_name ?? "Schedule";
  const isEdited = query.has("edit");
  return (
    <Page
      title={name}
      crumbs={[{ name: "Schedules", to: to.schedules }]}
      wide={!isEdited}
      actions={schedule.data && !isEdited && <Actions schedule={schedule.data} />}
    >
      {schedule.isError ? (
        <Failed what="The schedule cannot be read" error={schedule.error} onRetry={() => void schedule.refetch()} />
      ) : !schedule.data ? (
        <Loading what="Reading the schedule" />
      ) : isEdited ? (
        <ScheduleForm key={scheduleId} existing={schedule.data} onDone={() => void navigate(to.schedule(scheduleId))} />
      ) : (
        <About schedule={schedule.data} />
      )}
    </Page>
  );
}

function Actions({ schedule }: { schedule: RecurringRun }) {
  const id = schedule.recurring_run_id;
  const client = useQueryClient();
  const navigate = useNavigate();
  const [, setQuery] = useAddressQuery();
  const [isDeleting, setIsDeleting] = useState(false);
  const isOn = schedule.mode === "ENABLE";
  const refresh = () => client.invalidateQueries({ queryKey: ["schedules"] });
  const switching = useMutation({
    mutationFn: () => (isOn ? disableSchedule(id) : enableSchedule(id)),
    onSettled: refresh,
  });
  const running = useMutation({
    mutationFn: () => runScheduleNow(id),
    onSuccess: (run) => void navigate(to.run(run.run_id)),
  });
  const error = switching.error ?? running.error;
  return (
    <>
      <Button icon={isOn ? "pause" : "play"} busy={switching.isPending} onClick={() => switching.mutate()}>
        {isOn ? "Pause" : "Resume"}
      </Button>
      <Button icon="edit" onClick={() => setQuery({ edit: "1" })}>
        Edit
      </Button>
      <Button icon="trash" label="Delete the schedule" kind="quiet" onClick={() => setIsDeleting(true)} />
      <Button icon="runs" kind="primary" busy={running.isPending} onClick={() => running.mutate()}>
        Run now
      </Button>
      {error && <Failed what="Not done" error={error} />}
      {isDeleting && (
        <Confirm
          title={`Delete ${schedule.display_name}?`}
          action="Delete"
          perform={async () => {
            await deleteSchedule(id);
            await refresh();
            void navigate(to.schedules);
          }}
          onClose={() => setIsDeleting(false)}
        >
          It makes no more runs. Those that it made stay.
        </Confirm>
      )}
    </>
  );
}

function About({ schedule }: { schedule: RecurringRun }) {
  const next = useQuery(nextTimesQuery(schedule.recurring_run_id, 5));
  return (
    <>
      {schedule.error?.message && (
        <Notice kind="error" title="The last slot did not go well">
          <p>{schedule.error.message}</p>
        </Notice>
      )}
      <div className={style.columns}>
        <div className={style.column}>
          <Card title="Schedule">
            <div className={style.padded}>
              <Facts schedule={schedule} />
            </div>
          </Card>
          <Parameters schedule={schedule} />
          <Card title="Next times">
            <div className={style.padded}>
              {schedule.mode !== "ENABLE" && <p className="soft">It is paused: these would be its next times.</p>}
              {next.isError ? (
                <Failed what="The next times cannot be told" error={next.error} />
              ) : (
                <NextTimes times={next.data?.next_times ?? []} isLoading={next.isPending} />
              )}
              {(next.data?.waiting_times?.length ?? 0) > 0 && (
                <p>{next.data?.waiting_times?.length} slots of a backfill wait for room.</p>
              )}
            </div>
          </Card>
        </div>
        <History id={schedule.recurring_run_id} />
      </div>
    </>
  );
}

function Facts({ schedule }: { schedule: RecurringRun }) {
  const reference = schedule.pipeline_version_reference;
  const pipelines = usePipelineNames([reference?.pipeline_id ?? ""]);
  const experiments = useExperimentNames([schedule.experiment_id]);
  const zone = useScheduleZone();
  const bounds = schedule.trigger.cron_schedule ?? schedule.trigger.periodic_schedule ?? {};
  const [start, end] = [instant(bounds.start_time), instant(bounds.end_time)];
  return (
    <dl className="definitions">
      <dt>State</dt>
      <dd>
        <Mode schedule={schedule} />
      </dd>
      <dt>When</dt>
      <dd>
        {triggerWords(schedule.trigger)}
        {schedule.trigger.cron_schedule?.cron && (
          <>
            {zone && ` in ${zone}`} <code className="soft">{schedule.trigger.cron_schedule.cron}</code>
          </>
        )}
      </dd>
      {start !== undefined && (
        <>
          <dt>From</dt>
          <dd>{local(start)}</dd>
        </>
      )}
      {end !== undefined && (
        <>
          <dt>Until</dt>
          <dd>{local(end)}</dd>
        </>
      )}
      <dt>At a time</dt>
      <dd>{schedule.max_concurrency === "1" ? "one run" : `${schedule.max_concurrency} runs`}</dd>
      <dt>Missed slots</dt>
      <dd>{schedule.no_catchup ? "only the latest is made up for" : "run one after the other"}</dd>
      <dt>Pipeline</dt>
      <dd>
        {reference ? (
          <>
            <Link
              to={
                reference.pipeline_version_id
                  ? to.version(reference.pipeline_id, reference.pipeline_version_id)
                  : to.pipeline(reference.pipeline_id)
              }
            >
              {pipelines.get(reference.pipeline_id) ?? reference.pipeline_id}
            </Link>
            {!reference.pipeline_version_id && <span className="soft"> (the latest version)</span>}
          </>
        ) : (
          <span className="soft">within the schedule</span>
        )}
      </dd>
      <dt>Experiment</dt>
      <dd>
        <Link to={to.experiment(schedule.experiment_id)}>
          {experiments.get(schedule.experiment_id) ?? schedule.experiment_id}
        </Link>
      </dd>
    </dl>
  );
}

/** What its runs are given; of the rest the pipeline says what it is. */
function Parameters({ schedule }: { schedule: RecurringRun }) {
  const given = Object.entries(schedule.runtime_config?.parameters ?? {});
  return (
    given.length > 0 && (
      <Card title="Parameters">
        <dl className={`definitions ${style.given}`}>
          {given.map(([name, value]) => (
            <div key={name} style={{ display: "contents" }}>
              <dt className="mono">{name}</dt>
              <dd className="mono">{typeof value === "string" ? value : JSON.stringify(value)}</dd>
            </div>
          ))}
        </dl>
      </Card>
    )
  );
}
