import { Link } from "react-router";
import type { Json, Run, RunValues } from "../../api/kfp";
import { to } from "../../app/routes";
import { Icon } from "../../design/Icon";
import type { Column } from "../../design/List";
import { Duration, Moment } from "../../design/Moment";
import { StatusMark } from "../../design/StatusMark";
import { figure } from "../../model/figure";
import { shortReason } from "../../model/reason";
import { startOf } from "../../model/runTimes";
import { columnLabel, type ValueName, valueKey, valueOfRun } from "../../model/runValues";
import { standingOfRun } from "../../model/state";
import style from "./RunList.module.css";

interface Names {
  experiments: ReadonlyMap<string, string>;
  pipelines: ReadonlyMap<string, string>;
  /** Parameters and metrics that have a column, and what is recorded of them. */
  shown: readonly ValueName[];
  values: ReadonlyMap<string, RunValues>;
  isOfExperiment: boolean;
}

/** The columns of a list of runs. */
export function columnsOf({ experiments, pipelines, shown, values, isOfExperiment }: Names): Column<Run>[] {
  const columns: Column<Run>[] = [
    {
      key: "state",
      label: "State",
      width: "8.75rem",
      sort: "state",
      render: (run) => <StatusMark standing={standingOfRun(run)} />,
    },
    { key: "name", label: "Name", sort: "name", render: (run) => <Name run={run} /> },
    ...shown.map((name): Column<Run> => {
      const render = (run: Run) => <Value value={valueOfRun(run, values.get(run.run_id), name)} />;
      const key = valueKey(name);
      return { key, label: columnLabel(name, shown), width: "7rem", align: "end", sort: key, render };
    }),
    { key: "pipeline", label: "Pipeline", width: "13rem", render: (run) => <Pipeline run={run} names={pipelines} /> },
    {
      key: "experiment",
      label: "Experiment",
      width: "11rem",
      render: (run) => (
        <Link to={to.experiment(run.experiment_id)}>
          {experiments.get(run.experiment_id) ?? run.experiment_id.slice(0, 8)}
        </Link>
      ),
    },
    {
      key: "started",
      label: "Created",
      width: "10rem",
      sort: "created_at",
      render: (run) => <Moment at={run.created_at} />,
    },
    {
      key: "took",
      label: "Took",
      width: "7rem",
      align: "end",
      render: (run) => <Duration from={startOf(run)} to={run.finished_at} isCoarse />,
    },
  ];
  return columns.filter((column) => !(isOfExperiment && column.key === "experiment"));
}

function Name({ run }: { run: Run }) {
  const reason = standingOfRun(run) === "failed" ? run.error?.message : undefined;
  return (
    <span className={style.name}>
      <Link to={to.run(run.run_id)} className="ellipsis" title={run.description || run.display_name}>
        {run.display_name}
      </Link>
      {run.recurring_run_id && (
        <Link to={to.schedule(run.recurring_run_id)} title="Made by a schedule" aria-label="Its schedule">
          <Icon name="schedules" size={13} />
        </Link>
      )}
      {reason && (
        <span className={`${style.reason} soft small ellipsis`} title={reason}>
          {shortReason(reason)}
        </span>
      )}
    </span>
  );
}

function Pipeline({ run, names }: { run: Run; names: ReadonlyMap<string, string> }) {
  const reference = run.pipeline_version_reference;
  if (!reference) {
    return <span className="soft">in the run itself</span>;
  }
  const { pipeline_id: pipeline, pipeline_version_id: version } = reference;
  return (
    <Link to={version ? to.version(pipeline, version) : to.pipeline(pipeline)}>
      {names.get(pipeline) ?? pipeline.slice(0, 8)}
    </Link>
  );
}

function Value({ value }: { value: Json | undefined }) {
  if (value === undefined) {
    return <span className="soft">–</span>;
  }
  const whole = typeof value === "string" ? value : JSON.stringify(value);
  return <span title={whole.slice(0, 2000)}>{figure(value).slice(0, 80)}</span>;
}
