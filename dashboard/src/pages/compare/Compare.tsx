import { useQueries } from "@tanstack/react-query";
import { Link } from "react-router";
import { ask } from "../../api/http";
import type { Run } from "../../api/kfp";
import type { Artifact, PipelineSpec } from "../../api/penstock";
import { runQuery, specQuery } from "../../api/runs";
import { useAddressWords } from "../../app/query";
import { to } from "../../app/routes";
import { Button } from "../../design/Button";
import { LinkButton } from "../../design/LinkButton";
import { Duration, Moment } from "../../design/Moment";
import { Empty, Failed, Loading } from "../../design/Notice";
import { Card, Page } from "../../design/Page";
import { StatusMark } from "../../design/StatusMark";
import { MOST_RUNS, metricRows, parameterRows, pipelineKey, type Row, visualPlaces } from "../../model/compare";
import { startOf } from "../../model/runTimes";
import { standingOfRun } from "../../model/state";
import style from "./Compare.module.css";
import { letter } from "./letter";
import { Places } from "./Places";
import { Table } from "./Table";

/** Artifacts of a run that are looked at, at most. */
const MOST_ARTIFACTS = 1000;

export default function Compare() {
  const [query, change] = useAddressWords();
  const ids = [...new Set((query.get("runlist") ?? "").split(",").filter((id) => id !== ""))];
  const isAll = query.has("all");
  const runs = useQueries({ queries: ids.slice(0, MOST_RUNS).map((id) => runQuery(id)) });
  const artifacts = useQueries({
    queries: ids.slice(0, MOST_RUNS).map((id) => ({
      queryKey: ["artifacts", "of", id],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        ask<{ artifacts?: Artifact[] }>("apis/penstock/v1/artifacts", {
          query: { run_id: id, page_size: MOST_ARTIFACTS },
          signal,
        }),
    })),
  });
  const specs = useSpecs(runs.flatMap((run) => run.data ?? []));
  const found = runs.flatMap((run, index) =>
    run.data ? [{ run: run.data, artifacts: artifacts[index]?.data?.artifacts ?? [], spec: specs.of(run.data) }] : [],
  );
  const failure =
    runs.find((run) => run.isError)?.error ?? artifacts.find((list) => list.isError)?.error ?? specs.error;
  const leave = (id: string) => change({ runlist: ids.filter((it) => it !== id).join(",") });
  return (
    <Page
      title={ids.length === 1 ? "Compare 1 run" : `Compare ${ids.length} runs`}
      crumbs={[{ name: "Runs", to: to.runs }]}
      actions={
        <label>
          <input
            type="checkbox"
            checked={!isAll}
            onChange={(event) => change({ all: event.target.checked ? undefined : "1" })}
          />{" "}
          Differences only
        </label>
      }
    >
      {ids.length > MOST_RUNS && <p role="alert">The first {MOST_RUNS} are compared.</p>}
      {failure && <Failed what="Some of it cannot be read" error={failure} />}
      {ids.length === 0 ? (
        <Empty title="No runs to compare" action={<LinkButton to={to.runs}>Choose runs</LinkButton>} />
      ) : runs.some((run) => run.isPending) || specs.isPending ? (
        <Loading what="Reading the runs" lines={8} />
      ) : (
        <Comparison found={found} isAll={isAll} onLeave={leave} />
      )}
    </Page>
  );
}

/** The pipelines of runs: of those of one version it is asked once. */
function useSpecs(runs: readonly Run[]) {
  const firsts = [...new Map(runs.toReversed().map((run) => [pipelineKey(run), run.run_id]))];
  const found = useQueries({ queries: firsts.map(([, id]) => specQuery(id)) });
  const byKey = new Map(firsts.map(([key], index) => [key, found[index]?.data?.pipeline_spec]));
  return {
    of: (run: Run) => byKey.get(pipelineKey(run)),
    isPending: found.some((spec) => spec.isPending),
    error: found.find((spec) => spec.isError)?.error,
  };
}

function Comparison({
  found,
  isAll,
  onLeave,
}: {
  found: readonly { run: Run; artifacts: readonly Artifact[]; spec: PipelineSpec | undefined }[];
  isAll: boolean;
  onLeave: (id: string) => void;
}) {
  const runs = found.map(({ run }) => run);
  const lists = found.map(({ artifacts }) => artifacts);
  const shown = (rows: Row[]) => rows.filter((row) => isAll || row.differs || runs.length < 2);
  const parameters = parameterRows(
    runs,
    found.map(({ spec }) => spec),
  );
  const metrics = metricRows(lists);
  return (
    <>
      <Card title="Runs">
        <section className={style.scroll} aria-label="Runs">
          <table className="list" aria-label="Runs that are compared">
            <tbody>
              {runs.map((run, index) => (
                <tr key={run.run_id}>
                  <td className={style.letter}>{letter(index)}</td>
                  <td className={style.fact}>
                    <StatusMark standing={standingOfRun(run)} />
                  </td>
                  <td className={style.name}>
                    <Link to={to.run(run.run_id)} title={run.display_name}>
                      {run.display_name}
                    </Link>
                  </td>
                  <td className={style.fact}>
                    <Moment at={startOf(run) ?? run.created_at} />
                  </td>
                  <td className={style.fact}>
                    <Duration from={startOf(run)} to={run.finished_at} isCoarse />
                  </td>
                  <td className={style.fact}>
                    <Button
                      kind="quiet"
                      icon="close"
                      label={`Leave out ${run.display_name}`}
                      onClick={() => onLeave(run.run_id)}
                    />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      </Card>
      <Table title="Parameters" runs={runs} rows={shown(parameters)} total={parameters.length} />
      <Table title="Metrics" runs={runs} rows={shown(metrics)} total={metrics.length} isMeasured />
      <Places runs={runs} places={visualPlaces(lists)} />
    </>
  );
}
