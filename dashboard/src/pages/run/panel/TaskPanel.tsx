import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Suspense, useMemo } from "react";
import { ApiError } from "../../../api/http";
import type { TaskDetail, TreeNode } from "../../../api/penstock";
import { taskQuery, treeQuery } from "../../../api/runs";
import { part } from "../../../app/part";
import { Button } from "../../../design/Button";
import { Empty, Failed, Loading } from "../../../design/Notice";
import { StatusMark } from "../../../design/StatusMark";
import { type Tab, Tabs } from "../../../design/Tabs";
import { isFinal, standingOf, standingOfNode } from "../../../model/state";
import { useFailedWithin } from "../frame/failed";
import { asLooked, useRunView, useSelection } from "../view";
import { Actions } from "./Actions";
import { Attempts } from "./Attempts";
import { useWord } from "./address";
import { Details } from "./Details";
import { Overview } from "./Overview";
import style from "./Panel.module.css";
import { labelOf } from "./TaskLink";
import { Values } from "./Values";
import { WhyCard } from "./WhyCard";
import { KIND_WORDS, whyOf } from "./why";

const Logs = part(() => import("./Logs"));

type TabName = "overview" | "values" | "logs" | "attempts" | "details";

/** All there is to know of the task that is selected. */
export default function TaskPanel() {
  const { selected, select } = useSelection();
  const { runId, byPath, tree } = useRunView();
  const known = selected === undefined ? undefined : byPath.get(selected);
  const task = useQuery({ ...taskQuery(runId, selected ?? ""), enabled: selected !== undefined });
  const present = task.data?.path === selected ? task.data : undefined;
  // What is below loops is not in the tree.
  const node = useAsLooked(known ? undefined : present) ?? known;
  const close = () => select(undefined);
  if (selected === undefined) {
    return null;
  }
  if (!node) {
    return (
      <Frame title={selected.split(/[/.]/).at(-1) ?? selected} path={selected} onClose={close}>
        {task.isError || present ? (
          <Missing error={task.error} onRetry={() => void task.refetch()} />
        ) : (
          <Loading what="Loading the task" lines={6} />
        )}
      </Frame>
    );
  }
  const detail = present?.path === node.path ? present : undefined;
  return (
    <Shown
      key={node.path}
      node={node}
      present={present ?? node}
      detail={detail}
      error={task.error}
      nodes={tree.nodes}
      onClose={close}
    />
  );
}

/** A node that the run's tree does not have, as it is looked at; nothing where it had not begun. */
function useAsLooked(present: TaskDetail | undefined): TreeNode | undefined {
  const { runId, past } = useRunView();
  // Of a loop the tree has its iterations alone.
  const around = present?.kind === "LOOP" ? present.parent : present?.node;
  const then = useQuery({
    ...treeQuery(runId, { node: around ?? 0, ...asLooked(past) }),
    enabled: present !== undefined && past !== undefined,
    placeholderData: keepPreviousData,
  });
  return past === undefined ? present : then.data?.nodes.find((node) => node.path === present?.path);
}

function Missing({ error, onRetry }: { error: Error | null; onRetry: () => void }) {
  const isOver = isFinal(standingOf(useRunView().tree.status));
  return error === null || (error instanceof ApiError && error.status === 404) ? (
    <Empty title={isOver ? "It was not run" : "It has not begun"}>
      <p>The group that it is in {isOver ? "was not run" : "has not started"}, or the run has no such task.</p>
    </Empty>
  ) : (
    <Failed what="The task cannot be shown" error={error} onRetry={onRetry} />
  );
}

function Frame({
  title,
  path,
  onClose,
  children,
}: {
  title: string;
  path: string;
  onClose: () => void;
  children: React.ReactNode;
}) {
  return (
    <aside className={style.panel} aria-label={`Task ${path}`}>
      <header className={style.head}>
        <div className={style.titles}>
          <h2 className="ellipsis">{title}</h2>
        </div>
        <Button kind="quiet" icon="close" label="Close the task" onClick={onClose} />
      </header>
      {children}
    </aside>
  );
}

interface ShownProps {
  /** As it was at the instant that is looked at. */
  node: TreeNode;
  /** As it is. */
  present: TreeNode;
  detail: TaskDetail | undefined;
  error: Error | null;
  nodes: readonly TreeNode[];
  onClose: () => void;
}

function Shown({ node, present, detail, error, nodes, onClose }: ShownProps) {
  const { runId } = useRunView();
  const [word, setTab] = useWord("tab");
  const tabs = useMemo(() => tabsOf(node), [node]);
  const tab = tabs.find((it) => it.name === word)?.name ?? "overview";
  const blamed = useFailedWithin(node);
  const why = whyOf(node, nodes, blamed);
  const about = [KIND_WORDS[node.kind], node.component].filter((it) => it !== "");
  return (
    <aside className={style.panel} aria-label={`${KIND_WORDS[node.kind]} ${labelOf(node)}`}>
      <header className={style.head}>
        <div className={style.titles}>
          <div className={style.state}>
            <StatusMark standing={standingOfNode(node)} />
          </div>
          <h2 className="ellipsis" title={node.path}>
            {labelOf(node)}
          </h2>
          {node.path !== node.name && (
            <div className={`soft small ellipsis ${style.path}`} title={node.path}>
              {node.path}
            </div>
          )}
        </div>
        <Actions node={node} onClose={onClose} />
        <div className={`soft small ${style.about}`}>{about.join(" · ")}</div>
      </header>
      <Tabs label="About the task" tabs={tabs} chosen={tab} onChoose={setTab} panel="task-panel" />
      <div
        id="task-panel"
        role="tabpanel"
        aria-label={tab}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and keys scroll what has the focus
        tabIndex={0}
        className={style.body}
        data-full={tab === "logs" || undefined}
      >
        {why && tab === "overview" && <WhyCard why={why} runId={runId} />}
        {error && !detail && tab !== "logs" && <Failed what="Not all of it can be shown" error={error} />}
        <Chosen tab={tab} node={node} present={present} detail={detail} />
      </div>
    </aside>
  );
}

function Chosen({ tab, node, present, detail }: Pick<ShownProps, "node" | "present" | "detail"> & { tab: TabName }) {
  switch (tab) {
    case "overview":
      return <Overview node={node} detail={detail} />;
    case "values":
      return <Values detail={detail} />;
    case "logs":
      return (
        <Suspense fallback={<Loading what="Loading the log" />}>
          <Logs node={present} />
        </Suspense>
      );
    case "attempts":
      return <Attempts node={node} />;
    case "details":
      return <Details node={node} detail={detail} />;
  }
}

function tabsOf(node: TreeNode): Tab<TabName>[] {
  const runs = node.kind === "CONTAINER";
  return [
    { name: "overview", label: "Overview" },
    { name: "values", label: "Inputs/outputs" },
    ...(runs ? [{ name: "logs" as const, label: "Logs" }] : []),
    ...(runs ? [{ name: "attempts" as const, label: "Attempts" }] : []),
    { name: "details", label: "Details" },
  ];
}
