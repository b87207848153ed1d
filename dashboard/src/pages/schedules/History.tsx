import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link } from "react-router";
import type { Run } from "../../api/kfp";
import { runsQuery } from "../../api/runs";
import { useNamespace } from "../../app/namespace";
import { to } from "../../app/routes";
import type { Column } from "../../design/List";
import { Duration, Moment } from "../../design/Moment";
import { Empty, Failed, Loading } from "../../design/Notice";
import { Card } from "../../design/Page";
import { StatusMark } from "../../design/StatusMark";
import { startOf } from "../../model/runTimes";
import { standingOfRun } from "../../model/state";
import { FittingList } from "../runs/FittingList";
import style from "./Schedules.module.css";

const LEAST_WORTH = ["took"];

const COLUMNS: Column<Run>[] = [
  { key: "state", label: "State", width: "8.5rem", render: (run) => <StatusMark standing={standingOfRun(run)} /> },
  { key: "name", label: "Run", render: (run) => <Link to={to.run(run.run_id)}>{run.display_name}</Link> },
  { key: "slot", label: "Slot", width: "9rem", render: (run) => <Moment at={run.scheduled_at} /> },
  {
    key: "took",
    label: "Took",
    width: "5.5rem",
    align: "end",
    render: (run) => <Duration from={startOf(run)} to={run.finished_at} isCoarse />,
  },
];

/** The runs that a schedule has made, the newest first. */
export function History({ id }: { id: string }) {
  const namespace = useNamespace();
  const list = useInfiniteQuery(
    runsQuery({ namespace, predicates: [{ key: "recurring_run_id", operation: "EQUALS", string_value: id }] }),
  );
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.runs ?? []) ?? [], [list.data]);
  return (
    <div className={style.history}>
      <Card title="Runs">
        {list.isError ? (
          <Failed what="Its runs cannot be listed" error={list.error} onRetry={() => void list.refetch()} />
        ) : list.isPending ? (
          <Loading what="Loading runs" />
        ) : rows.length === 0 ? (
          <Empty title="No run yet" />
        ) : (
          <FittingList
            leastWorth={LEAST_WORTH}
            label="Runs of the schedule"
            rows={rows}
            id={(run) => run.run_id}
            name={(run) => run.display_name}
            columns={COLUMNS}
            hasMore={list.hasNextPage}
            isLoadingMore={list.isFetchingNextPage}
            onMore={() => void list.fetchNextPage()}
          />
        )}
      </Card>
    </div>
  );
}
