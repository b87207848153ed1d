import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link } from "react-router";
import type { RecurringRun } from "../../api/kfp";
import { nextTimesQuery, schedulesQuery } from "../../api/schedules";
import { useNamespace } from "../../app/namespace";
import { to } from "../../app/routes";
import { Icon } from "../../design/Icon";
import type { Column } from "../../design/List";
import { Moment } from "../../design/Moment";
import { Empty, Failed, Loading } from "../../design/Notice";
import { triggerWords } from "../../model/cron";
import { readerZone } from "../../model/zones";
import { FittingList } from "../runs/FittingList";
import { Mode } from "./Mode";
import style from "./Schedules.module.css";
import { useScheduleZone } from "./zone";

const LEAST_WORTH = ["created"];

/** By whose clock each is told: they stand beside each other. */
const columnsOf = (zone: string | undefined, reader: string): Column<RecurringRun>[] => [
  { key: "mode", label: "State", width: "7rem", render: (it) => <Mode schedule={it} /> },
  {
    key: "name",
    label: "Name",
    render: (it) => (
      <>
        <Link to={to.schedule(it.recurring_run_id)}>{it.display_name}</Link>
        {it.error?.message && (
          <span className={style.error} title={it.error.message}>
            <Icon name="warning" size={14} />
            {it.error.message}
          </span>
        )}
      </>
    ),
  },
  { key: "when", label: zone ? `When (${zone})` : "When", width: "13rem", render: (it) => triggerWords(it.trigger) },
  { key: "next", label: `Next (${reader})`, width: "12rem", render: (it) => <Next schedule={it} /> },
  { key: "created", label: "Created", width: "10rem", render: (it) => <Moment at={it.created_at} /> },
];

function Next({ schedule }: { schedule: RecurringRun }) {
  const next = useQuery({ ...nextTimesQuery(schedule.recurring_run_id, 1), enabled: schedule.mode === "ENABLE" });
  return <Moment at={next.data?.next_times?.[0]} />;
}

/** Schedules of a namespace whose names have a part, or of one experiment. */
export function ScheduleList({ name = "", experimentId }: { name?: string; experimentId?: string | undefined }) {
  const namespace = useNamespace();
  const list = useInfiniteQuery({
    ...schedulesQuery(
      namespace,
      name === "" ? [] : [{ key: "name", operation: "IS_SUBSTRING", string_value: name }],
      experimentId,
    ),
    placeholderData: (before) => before,
  });
  const zone = useScheduleZone();
  const columns = useMemo(() => columnsOf(zone, readerZone()), [zone]);
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.recurringRuns ?? []) ?? [], [list.data]);
  if (list.isError && rows.length === 0) {
    return <Failed what="The schedules cannot be listed" error={list.error} onRetry={() => void list.refetch()} />;
  }
  if (list.isPending) {
    return <Loading what="Loading schedules" lines={8} />;
  }
  if (rows.length === 0) {
    return (
      <Empty title={name ? "No schedule is called that" : "Nothing recurs yet"}>
        {!name && <p>A schedule starts runs of a pipeline by the clock.</p>}
      </Empty>
    );
  }
  return (
    <FittingList
      leastWorth={LEAST_WORTH}
      label="Schedules"
      rows={rows}
      id={(it) => it.recurring_run_id}
      name={(it) => it.display_name}
      columns={columns}
      hasMore={list.hasNextPage}
      isLoadingMore={list.isFetchingNextPage}
      onMore={() => void list.fetchNextPage()}
    />
  );
}
