import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef } from "react";
import { ask } from "../../../api/http";
import type { TaskStatus, Tree, TreeNode } from "../../../api/penstock";
import { treeQuery } from "../../../api/runs";
import { Button } from "../../../design/Button";
import { Duration } from "../../../design/Moment";
import { Failed, Loading } from "../../../design/Notice";
import { isFinal, STANDING_WORDS, standingOf } from "../../../model/state";
import { asLooked, useRunView } from "../view";
import { useWord } from "./address";
import style from "./Panel.module.css";
import { TaskLink } from "./TaskLink";

const ROW = 32;
const PAGE = 200;
const STATUSES: readonly TaskStatus[] = ["FAILED", "RUNNING", "PENDING", "SUCCEEDED", "SKIPPED", "CANCELED"];

/** How many of what is within a group stand how. */
function Counts({
  counts,
  chosen,
  onChoose,
}: {
  counts: TreeNode["counts"];
  chosen?: string | undefined;
  onChoose?: (status: string | undefined) => void;
}) {
  const isOver = isFinal(standingOf(useRunView().tree.status));
  const there = STATUSES.filter((status) => (counts?.[status] ?? 0) > 0);
  // Nothing waits for what is over.
  const wordOf = (status: TaskStatus) =>
    isOver && status === "PENDING" ? "not started" : STANDING_WORDS[standingOf(status)].toLowerCase();
  return (
    <ul className={style.counts}>
      {there.map((status) => (
        <li key={status}>
          {onChoose ? (
            <button
              type="button"
              className={style.countButton}
              aria-pressed={chosen === status}
              onClick={() => onChoose(chosen === status ? undefined : status)}
            >
              {counts?.[status]?.toLocaleString("en")} {wordOf(status)}
            </button>
          ) : (
            <span className="chip">
              {counts?.[status]?.toLocaleString("en")} {wordOf(status)}
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}

/** What is within a group: iterations, or tasks. */
export default function Within({ node }: { node: TreeNode }) {
  return node.kind === "LOOP" ? <Iterations node={node} /> : <Children node={node} />;
}

/** The tasks of a group. */
function Children({ node }: { node: TreeNode }) {
  const { runId, tree, byNumber, past } = useRunView();
  const isInTree = byNumber.has(node.node);
  // What is below loops is asked for when it is looked at.
  const below = useQuery({ ...treeQuery(runId, { node: node.node, ...asLooked(past) }), enabled: !isInTree });
  const nodes = (isInTree ? tree.nodes : (below.data?.nodes ?? [])).filter((it) => it.parent === node.node);
  return (
    <section className={style.section}>
      <h3>Tasks in it</h3>
      <Counts counts={node.counts} />
      {below.isError && <Failed what="They cannot be shown" error={below.error} />}
      {!isInTree && below.isPending ? <Loading /> : <List nodes={nodes} />}
    </section>
  );
}

/** The iterations of a loop, page after page, all or those that stand in one way. */
function Iterations({ node }: { node: TreeNode }) {
  const { runId, past } = useRunView();
  const [status, setStatus] = useWord("iterations");
  const pages = useInfiniteQuery({
    queryKey: ["tree", runId, { iterationsOf: node.node, status, ...asLooked(past) }],
    queryFn: ({ pageParam, signal }) =>
      ask<Tree>(`apis/penstock/v1/runs/${encodeURIComponent(runId)}/tree`, {
        query: { node: node.node, from: pageParam, limit: PAGE, status, ...asLooked(past) },
        signal,
      }),
    initialPageParam: 0,
    getNextPageParam: (page) => page.next_from,
  });
  const nodes = (pages.data?.pages ?? []).flatMap((page) => page.nodes);
  const items = node.items ?? 0;
  return (
    <section className={style.section}>
      <h3>{items === 1 ? "1 iteration" : `${items.toLocaleString("en")} iterations`}</h3>
      <Counts counts={node.counts} chosen={status} onChoose={setStatus} />
      {pages.isError && (
        <Failed what="The iterations cannot be shown" error={pages.error} onRetry={() => void pages.refetch()} />
      )}
      {pages.isPending ? (
        <Loading />
      ) : (
        <List nodes={nodes} none={status === "PENDING" ? "What was not started has nothing to show." : "None."} />
      )}
      {pages.hasNextPage && (
        <Button kind="quiet" busy={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
          Show more
        </Button>
      )}
    </section>
  );
}

function List({ nodes, none = "None." }: { nodes: readonly TreeNode[]; none?: string }) {
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: nodes.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 10,
  });
  if (nodes.length === 0) {
    return <p className="soft">{none}</p>;
  }
  return (
    <div ref={scroller} className={style.list}>
      <ul style={{ height: rows.getTotalSize(), position: "relative" }}>
        {rows.getVirtualItems().map((row) => {
          const node = nodes[row.index];
          return (
            node && (
              <li key={node.node} className={style.listRow} style={{ transform: `translateY(${row.start}px)` }}>
                <TaskLink node={node} />
                <span className="small soft">
                  <Duration from={node.started_at} to={node.ended_at} />
                </span>
              </li>
            )
          );
        })}
      </ul>
    </div>
  );
}
