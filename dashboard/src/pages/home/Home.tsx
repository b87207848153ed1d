import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import type { RecurringRun, Run } from "../../api/kfp";
import { usePipelineNames } from "../../api/names";
import { runSearchQuery } from "../../api/runs";
import { nextTimesQuery, schedulesQuery } from "../../api/schedules";
import { useNamespace } from "../../app/namespace";
import { to } from "../../app/routes";
import { LinkButton } from "../../design/LinkButton";
import { Duration, Moment } from "../../design/Moment";
import { Failed, Loading } from "../../design/Notice";
import { Card, Page } from "../../design/Page";
import { StatusMark } from "../../design/StatusMark";
import { shortReason } from "../../model/reason";
import { latestOf, startOf } from "../../model/runTimes";
import { standingOfRun } from "../../model/state";
import { FirstRun } from "./FirstRun";
import style from "./Home.module.css";

const SHOWN = 8;

export default function Home() {
  const namespace = useNamespace();
  const running = useRuns(namespace, ["PENDING", "RUNNING", "CANCELING"], "created_at desc");
  const failed = useRuns(namespace, ["FAILED"], "finished_at desc");
  const recent = useRuns(namespace, [], "created_at desc");
  const isNew = recent.isSuccess && recent.runs.length === 0;
  const error = running.error ?? failed.error ?? recent.error;
  return (
    <Page
      title="Home"
      actions={
        <LinkButton to={to.newRun()} icon="plus" kind="primary">
          New run
        </LinkButton>
      }
    >
      {error ? (
        <Failed what="The runs cannot be listed" error={error} onRetry={() => void recent.refetch()} />
      ) : isNew ? (
        <FirstRun />
      ) : (
        <div className={style.grid}>
          <Runs
            title="Runs now"
            list={running}
            more={`${to.runs}?state=PENDING,RUNNING,CANCELING`}
            nothing="Nothing runs at the moment."
          />
          <Runs title="Failed lately" list={failed} more={`${to.runs}?state=FAILED`} nothing="Nothing has failed." />
          <Runs title="Newest" list={recent} more={to.runs} nothing="No runs yet." />
          <Upcoming namespace={namespace} />
        </div>
      )}
    </Page>
  );
}

function useRuns(namespace: string, states: string[], sort: string) {
  const found = useInfiniteQuery(
    runSearchQuery({
      namespace,
      predicates: states.length > 0 ? [{ key: "state", operation: "IN", string_values: { values: states } }] : [],
      sort,
      pageSize: SHOWN,
    }),
  );
  const page = found.data?.pages[0];
  const { isSuccess, error, refetch } = found;
  return { runs: page?.runs ?? [], total: page?.total_size ?? 0, isSuccess, error, refetch };
}

type Found = ReturnType<typeof useRuns>;

function Runs({ title, list, more, nothing }: { title: string; list: Found; more: string; nothing: string }) {
  const pipelines = usePipelineNames(list.runs.map((run) => run.pipeline_version_reference?.pipeline_id ?? ""));
  return (
    <Card title={title} actions={list.total > SHOWN && <Link to={more}>All {list.total.toLocaleString()}</Link>}>
      {!list.isSuccess ? (
        <Loading what={title} />
      ) : list.runs.length === 0 ? (
        <p className={style.nothing}>{nothing}</p>
      ) : (
        <ul className={style.runs}>
          {list.runs.map((run) => (
            <Row
              key={run.run_id}
              run={run}
              pipeline={pipelines.get(run.pipeline_version_reference?.pipeline_id ?? "")}
            />
          ))}
        </ul>
      )}
    </Card>
  );
}

function Row({ run, pipeline }: { run: Run; pipeline: string | undefined }) {
  const standing = standingOfRun(run);
  const { word, at } = latestOf(run);
  const reason = standing === "failed" ? run.error?.message : undefined;
  return (
    <li className={style.run}>
      <StatusMark standing={standing} bare />
      <div className={style.name}>
        <Link to={to.run(run.run_id)} className="ellipsis" title={run.display_name}>
          {run.display_name}
        </Link>
        <span className="soft small ellipsis" title={reason}>
          {reason ? shortReason(reason) : (pipeline ?? "")}
        </span>
      </div>
      <span className="soft small">
        {word} <Moment at={at} form="ago" />
      </span>
      <span className={`small ${style.took}`}>
        <Duration from={startOf(run)} to={run.finished_at} isCoarse />
      </span>
    </li>
  );
}

function Upcoming({ namespace }: { namespace: string }) {
  const found = useInfiniteQuery(schedulesQuery(namespace));
  const schedules = found.data?.pages[0]?.recurringRuns?.filter((it) => it.status === "ENABLED").slice(0, SHOWN) ?? [];
  return (
    <Card title="Schedules" actions={<Link to={to.schedules}>All</Link>}>
      {found.isPending ? (
        <Loading what="Schedules" />
      ) : schedules.length === 0 ? (
        <p className={style.nothing}>
          Nothing recurs. <Link to={to.newSchedule()}>Make a schedule</Link>
        </p>
      ) : (
        <ul className={style.runs}>
          {schedules.map((schedule) => (
            <Due key={schedule.recurring_run_id} schedule={schedule} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function Due({ schedule }: { schedule: RecurringRun }) {
  const next = useQuery(nextTimesQuery(schedule.recurring_run_id, 1));
  return (
    <li className={style.due}>
      <StatusMark standing={schedule.error ? "failed" : "waiting"} bare />
      <div className={style.name}>
        <Link to={to.schedule(schedule.recurring_run_id)} className="ellipsis">
          {schedule.display_name}
        </Link>
        {schedule.error?.message && (
          <span className="soft small ellipsis" title={schedule.error.message}>
            {schedule.error.message}
          </span>
        )}
      </div>
      <span className="soft small">
        <Moment at={next.data?.next_times?.[0]} form="ago" />
      </span>
    </li>
  );
}
