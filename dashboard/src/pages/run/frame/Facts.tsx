import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { experimentQuery } from "../../../api/experiments";
import type { Run } from "../../../api/kfp";
import type { TreeNode } from "../../../api/penstock";
import { pipelineQuery, versionQuery } from "../../../api/pipelines";
import { runRecordQuery } from "../../../api/runs";
import { useAddressQuery } from "../../../app/query";
import { to } from "../../../app/routes";
import { Button } from "../../../design/Button";
import { Duration, Moment } from "../../../design/Moment";
import { Notice } from "../../../design/Notice";
import { standingOf } from "../../../model/state";
import { showing } from "../view";
import { useFailedTask } from "./failed";
import style from "./frame.module.css";

/** What a run belongs to, when it was, and why it failed if it did. */
export function Facts({ run, status, nodes }: { run: Run; status: string | undefined; nodes: readonly TreeNode[] }) {
  const root = nodes.find((node) => node.parent === undefined);
  const record = useQuery(runRecordQuery(run.run_id)).data?.run;
  const standing = standingOf(status);
  const started = record?.started_at ?? root?.started_at ?? run.created_at;
  const reason = run.error?.message ?? record?.error;
  return (
    <>
      <dl className={style.facts}>
        <Fact name="Experiment">
          <Experiment id={run.experiment_id} />
        </Fact>
        <Fact name="Pipeline">
          <Pipeline run={run} name={record?.info.pipelineName} />
        </Fact>
        {run.recurring_run_id && (
          <Fact name="Made by">
            <Link to={to.schedule(run.recurring_run_id)}>A schedule</Link>
          </Fact>
        )}
        <Fact name="Started">
          <Moment at={started} />
        </Fact>
        <Fact name="Duration">
          <Duration from={started} to={root?.ended_at ?? run.finished_at} />
        </Fact>
        {record?.info.namespace && <Fact name="Namespace">{record.info.namespace}</Fact>}
      </dl>
      {standing === "failed" && <Reason runId={run.run_id} nodes={nodes} text={reason ?? root?.failure?.message} />}
    </>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Experiment({ id }: { id: string }) {
  const experiment = useQuery(experimentQuery(id));
  return <Link to={to.experiment(id)}>{experiment.data?.display_name ?? id}</Link>;
}

function Pipeline({ run, name }: { run: Run; name: string | undefined }) {
  const { pipeline_id = "", pipeline_version_id = "" } = run.pipeline_version_reference ?? {};
  const pipeline = useQuery(pipelineQuery(pipeline_id));
  const version = useQuery(versionQuery(pipeline_id, pipeline_version_id));
  if (pipeline_id === "") {
    return <>{name ?? "–"}</>;
  }
  // It may be gone, and the run keeps what it was made from.
  const shown = pipeline.data?.display_name ?? name ?? pipeline_id;
  // A first version has the name of its pipeline: said once, it leads to both.
  if (version.data?.display_name === shown) {
    return <Link to={to.version(pipeline_id, pipeline_version_id)}>{shown}</Link>;
  }
  return (
    <>
      {pipeline.isError ? shown : <Link to={to.pipeline(pipeline_id)}>{shown}</Link>}
      {version.data && (
        <>
          {" · "}
          <Link to={to.version(pipeline_id, pipeline_version_id)}>{version.data.display_name}</Link>
        </>
      )}
    </>
  );
}

function Reason({ runId, nodes, text }: { runId: string; nodes: readonly TreeNode[]; text: string | undefined }) {
  const failed = useFailedTask(runId, nodes);
  const [query, setQuery] = useAddressQuery();
  const show = ({ path }: TreeNode) => setQuery((before) => showing(before, path), { replace: true });
  return (
    <Notice
      kind="error"
      title={text ?? "The run failed"}
      action={
        failed &&
        query.get("task") !== failed.path && <Button onClick={() => show(failed)}>Show {placeOf(failed)}</Button>
      }
    />
  );
}

/** A task by its name; by its whole path where that says in which iteration it is. */
const placeOf = ({ path, name }: TreeNode) => (path.includes("[") ? path : name);
