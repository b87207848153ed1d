import { useQuery } from "@tanstack/react-query";
import { Suspense, useMemo } from "react";
import { useParams } from "react-router";
import { ApiError } from "../../api/http";
import type { Run as RunOfKfp } from "../../api/kfp";
import type { Tree } from "../../api/penstock";
import { runQuery, runRecordQuery, specQuery, treeQuery } from "../../api/runs";
import { useShortcuts } from "../../app/keys";
import { part } from "../../app/part";
import { useAddressWords } from "../../app/query";
import { to } from "../../app/routes";
import { LinkButton } from "../../design/LinkButton";
import { Empty, Failed, Loading, Notice } from "../../design/Notice";
import { Page } from "../../design/Page";
import { Split } from "../../design/Split";
import { Tabs } from "../../design/Tabs";
import { Actions } from "./frame/Actions";
import { Facts } from "./frame/Facts";
import { Heading } from "./frame/Heading";
import { useFollowing } from "./live";
import { useInstant, usePast } from "./past";
import style from "./Run.module.css";
import { RunViewContext, useSelection } from "./view";

const Graph = part(() => import("./graph/Graph"));
const Timeline = part(() => import("./timeline/Timeline"));
const TaskTable = part(() => import("./table/TaskTable"));
const TaskPanel = part(() => import("./panel/TaskPanel"));
const Past = part(() => import("./frame/Past"));
const Details = part(async () => ({ default: (await import("./frame/Details")).Details }));

type View = "graph" | "timeline" | "table" | "details";
const VIEWS: readonly { name: View; label: string }[] = [
  { name: "graph", label: "Graph" },
  { name: "timeline", label: "Timeline" },
  { name: "table", label: "Table" },
  { name: "details", label: "Details" },
];

/** A run: how it stands, what can be done with it, and its tasks as a graph, along time, or as a table. */
export default function Run() {
  const runId = useParams().runId ?? "";
  // Another run is another page, though it has the same place.
  return <RunPage key={runId} runId={runId} />;
}

function RunPage({ runId }: { runId: string }) {
  const run = useQuery(runQuery(runId));
  const tree = useQuery(treeQuery(runId));
  const link = useFollowing(runId, tree.data?.status, run.data?.state);
  if (run.isPending) {
    return (
      <Page title="Run" crumbs={CRUMBS}>
        <Loading what="Loading the run" lines={6} />
      </Page>
    );
  }
  if (run.isError && !run.data) {
    return <Missing runId={runId} error={run.error} onRetry={() => void run.refetch()} />;
  }
  const status = tree.data?.status ?? run.data.state;
  return (
    <Page
      wide
      title={run.data.display_name}
      crumbs={CRUMBS}
      heading={<Heading run={run.data} status={status} link={link} />}
      actions={<Actions run={run.data} status={status} />}
    >
      <Facts run={run.data} status={status} nodes={tree.data?.nodes ?? []} />
      {tree.isError && !tree.data ? (
        <Failed what="The tasks cannot be shown" error={tree.error} onRetry={() => void tree.refetch()} />
      ) : (
        <Views run={run.data} tree={tree.data} />
      )}
    </Page>
  );
}

const CRUMBS = [{ name: "Runs", to: to.runs }];

/** Says why there is no run to show. */
function Missing({ runId, error, onRetry }: { runId: string; error: Error; onRetry: () => void }) {
  return (
    <Page title="Run" crumbs={CRUMBS}>
      {error instanceof ApiError && error.status === 404 ? (
        <Empty title="There is no such run" action={<LinkButton to={to.runs}>Go to the runs</LinkButton>}>
          <p>
            Nothing has the id <code>{runId}</code>: the run was deleted, or the address is mistyped.
          </p>
        </Empty>
      ) : (
        <Failed what="The run cannot be shown" error={error} onRetry={onRetry} />
      )}
    </Page>
  );
}

function Views({ run, tree }: { run: RunOfKfp; tree: Tree | undefined }) {
  const record = useQuery(runRecordQuery(run.run_id));
  const spec = useQuery(specQuery(run.run_id));
  const [instant, setInstant] = useInstant();
  const past = usePast(run.run_id, tree, instant);
  const [view, choose] = useChosenView();
  const { selected, select } = useSelection();
  useShortcuts(
    useMemo(
      () => [
        ...VIEWS.map((it, index) => ({ keys: String(index + 1), label: it.label, perform: () => choose(it.name) })),
        { keys: "Escape", label: "Close the task", perform: () => select(undefined) },
      ],
      [choose, select],
    ),
  );
  const looked = past.tree ?? tree;
  const value = useMemo(() => {
    const nodes = looked?.nodes ?? [];
    const unread = { seq: 0, status: "PENDING", nodes: [] };
    return {
      runId: run.run_id,
      run,
      record: record.data,
      spec: spec.data,
      tree: looked ?? unread,
      present: tree ?? unread,
      byNumber: new Map(nodes.map((node) => [node.node, node])),
      byPath: new Map(nodes.map((node) => [node.path, node])),
      instant,
      past: past.seq,
      setInstant,
    };
  }, [run, record.data, spec.data, tree, looked, instant, past.seq, setInstant]);
  return (
    <RunViewContext value={value}>
      <Tabs label="Views of the run" tabs={VIEWS} chosen={view} onChoose={choose} panel="view-of-run" />
      {spec.isError && !spec.data && (
        <Notice kind="warning" title="The pipeline of this run cannot be read: tasks that have not begun are missing">
          <p>{spec.error.message}</p>
        </Notice>
      )}
      {view !== "details" && instant !== undefined && tree && (
        <Suspense>
          <Past past={past} />
        </Suspense>
      )}
      <Split
        name="task"
        label="Width of the task"
        beside={
          selected !== undefined &&
          view !== "details" && (
            <Suspense fallback={<Loading what="Loading the task" />}>
              <TaskPanel />
            </Suspense>
          )
        }
      >
        <div id="view-of-run" role="tabpanel" aria-label={view} className={style.view}>
          <Suspense fallback={<Loading what="Loading the view" />}>
            {!tree ? <Loading what="Loading the tasks" lines={6} /> : <Chosen view={view} />}
          </Suspense>
        </div>
      </Split>
    </RunViewContext>
  );
}

function Chosen({ view }: { view: View }) {
  switch (view) {
    case "graph":
      return <Graph />;
    case "timeline":
      return <Timeline />;
    case "table":
      return <TaskTable />;
    case "details":
      return <Details />;
  }
}

function useChosenView(): [View, (view: View) => void] {
  const [query, change] = useAddressWords();
  const view = VIEWS.find((it) => it.name === query.get("view"))?.name ?? "graph";
  const choose = (next: View) => change({ view: next });
  return [view, choose];
}
