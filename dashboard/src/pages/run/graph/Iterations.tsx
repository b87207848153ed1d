import { useInfiniteQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { ask } from "../../../api/http";
import type { TaskStatus, Tree, TreeNode } from "../../../api/penstock";
import { Dialog } from "../../../design/Dialog";
import { Duration } from "../../../design/Moment";
import { Empty, Failed, Loading } from "../../../design/Notice";
import { StatusMark } from "../../../design/StatusMark";
import { countsOf } from "../../../model/graphCard";
import { shortReason } from "../../../model/reason";
import { STANDING_WORDS, standingOf, standingOfNode } from "../../../model/state";
import { asLooked, useRunView } from "../view";
import style from "./Iterations.module.css";

const ROW = 40;
const PAGE = 500;
const FILTERS: readonly TaskStatus[] = ["RUNNING", "FAILED", "SUCCEEDED", "PENDING", "SKIPPED", "CANCELED"];

function useIterationsOf(node: number, status: TaskStatus | undefined) {
  const { runId, past } = useRunView();
  const looked = asLooked(past);
  return useInfiniteQuery({
    queryKey: ["tree", runId, { iterations: node, status, ...looked }],
    queryFn: ({ pageParam, signal }) =>
      ask<Tree>(`apis/penstock/v1/runs/${encodeURIComponent(runId)}/tree`, {
        query: { node, from: pageParam, limit: PAGE, status, ...looked },
        signal,
      }),
    initialPageParam: 0,
    getNextPageParam: (page) => page.next_from,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** Chooses the iteration of a loop that a graph shows. */
export default function Iterations({
  loop,
  onChoose,
  onClose,
}: {
  loop: TreeNode;
  onChoose: (index: number) => void;
  onClose: () => void;
}) {
  const [status, setStatus] = useState<TaskStatus>();
  const [index, setIndex] = useState("");
  const pages = useIterationsOf(loop.node, status);
  const items = loop.items ?? 0;
  const wanted = Number(index);
  const isIndex = index !== "" && Number.isInteger(wanted) && wanted >= 0 && wanted < items;
  const counts = new Map(countsOf(loop.counts).map(({ standing, count }) => [standing, count]));
  return (
    <Dialog title={`Iterations of ${loop.name}`} side onClose={onClose}>
      <div className={style.filters}>
        <select
          className="input"
          aria-label="Only those that are"
          value={status ?? ""}
          onChange={(event) => setStatus((event.target.value || undefined) as TaskStatus | undefined)}
        >
          <option value="">All {items}</option>
          {FILTERS.map((word) => (
            <option key={word} value={word} disabled={!counts.has(standingOf(word))}>
              {STANDING_WORDS[standingOf(word)]} ({counts.get(standingOf(word)) ?? 0})
            </option>
          ))}
        </select>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (isIndex) {
              onChoose(wanted);
            }
          }}
        >
          <input
            className="input"
            inputMode="numeric"
            aria-label={`Number of an iteration, from 0 to ${items - 1}`}
            aria-invalid={(index !== "" && !isIndex) || undefined}
            placeholder={`Go to 0 … ${Math.max(0, items - 1)}`}
            value={index}
            onChange={(event) => setIndex(event.target.value.trim())}
          />
        </form>
      </div>
      {pages.isPending && <Loading what="Loading the iterations" lines={6} />}
      {pages.isError && (
        <Failed what="The iterations cannot be shown" error={pages.error} onRetry={() => void pages.refetch()} />
      )}
      {pages.data && <List key={status} pages={pages} onChoose={onChoose} />}
    </Dialog>
  );
}

function List({ pages, onChoose }: { pages: ReturnType<typeof useIterationsOf>; onChoose: (index: number) => void }) {
  const nodes = pages.data?.pages.flatMap((page) => page.nodes) ?? [];
  const scroll = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState(0);
  const rows = useVirtualizer({
    count: nodes.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW,
    overscan: 10,
  });
  const shown = rows.getVirtualItems();
  const isAtEnd = (shown.at(-1)?.index ?? 0) >= nodes.length - 20;
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = pages;
  useEffect(() => {
    if (isAtEnd && hasNextPage && !isFetchingNextPage) {
      void fetchNextPage();
    }
  }, [isAtEnd, hasNextPage, isFetchingNextPage, fetchNextPage]);
  const press = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      const next = Math.max(0, Math.min(nodes.length - 1, at + step));
      setAt(next);
      rows.scrollToIndex(next);
    } else if (event.key === "Enter" && nodes[at]) {
      event.preventDefault();
      onChoose(nodes[at].iteration ?? 0);
    }
  };
  if (nodes.length === 0) {
    return <Empty title="No iteration is so" />;
  }
  return (
    <div
      ref={scroll}
      className={style.list}
      role="listbox"
      tabIndex={0}
      aria-label="Iterations"
      aria-activedescendant={`iteration-${nodes[at]?.iteration}`}
      onKeyDown={press}
    >
      <div style={{ height: rows.getTotalSize() }} className={style.whole}>
        {shown.map((row) => {
          const node = nodes[row.index];
          return (
            node && (
              // biome-ignore lint/a11y/useKeyWithClickEvents: the list answers the keys
              <div
                key={node.node}
                id={`iteration-${node.iteration}`}
                role="option"
                tabIndex={-1}
                aria-selected={row.index === at}
                aria-posinset={row.index + 1}
                aria-setsize={hasNextPage ? -1 : nodes.length}
                className={style.row}
                style={{ transform: `translateY(${row.start}px)` }}
                onClick={() => onChoose(node.iteration ?? 0)}
              >
                <span className={style.index}>{node.iteration}</span>
                <StatusMark standing={standingOfNode(node)} />
                <span className={style.cause} title={node.failure?.message}>
                  {shortReason(node.failure?.message ?? "")}
                </span>
                <Duration from={node.started_at} to={node.ended_at} />
              </div>
            )
          );
        })}
      </div>
    </div>
  );
}
