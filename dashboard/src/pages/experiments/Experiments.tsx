import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { Link } from "react-router";
import { experimentsQuery } from "../../api/experiments";
import type { Experiment } from "../../api/kfp";
import { useNamespace } from "../../app/namespace";
import { useAddressWords } from "../../app/query";
import { to } from "../../app/routes";
import { Button } from "../../design/Button";
import type { Column, Sort } from "../../design/List";
import { Moment } from "../../design/Moment";
import { NameSearch } from "../../design/NameSearch";
import { Empty, Failed, Loading } from "../../design/Notice";
import { Page } from "../../design/Page";
import { FittingList } from "../runs/FittingList";
import style from "./Experiments.module.css";
import { NewExperiment } from "./NewExperiment";

const LEAST_WORTH = ["description", "created"];

const COLUMNS: Column<Experiment>[] = [
  {
    key: "name",
    label: "Name",
    sort: "name",
    render: (it) => <Link to={to.experiment(it.experiment_id)}>{it.display_name}</Link>,
  },
  { key: "description", label: "Description", render: (it) => <span className="soft">{it.description}</span> },
  {
    key: "last",
    label: "Last run",
    width: "10rem",
    sort: "last_run_created_at",
    render: (it) => <Moment at={it.last_run_created_at} />,
  },
  {
    key: "created",
    label: "Created",
    width: "10rem",
    sort: "created_at",
    render: (it) => <Moment at={it.created_at} />,
  },
];

const SORTS = ["name", "last_run_created_at", "created_at"];

export default function Experiments() {
  const [query, change] = useAddressWords();
  const namespace = useNamespace();
  const [isNew, setIsNew] = useState(false);
  const name = query.get("name") ?? "";
  const isArchived = query.get("storage") === "archived";
  const [by = "", direction] = (query.get("sort") ?? "").split(" ");
  const sort: Sort = { by: SORTS.includes(by) ? by : "last_run_created_at", descending: direction !== "asc" };
  const list = useInfiniteQuery({
    ...experimentsQuery(
      namespace,
      isArchived ? "ARCHIVED" : "AVAILABLE",
      name === "" ? [] : [{ key: "name", operation: "IS_SUBSTRING", string_value: name }],
      `${sort.by} ${sort.descending ? "desc" : "asc"}`,
    ),
    placeholderData: (before) => before,
  });
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.experiments ?? []) ?? [], [list.data]);
  return (
    <Page
      title={isArchived ? "Archived experiments" : "Experiments"}
      wide
      actions={
        <Button kind="primary" icon="plus" onClick={() => setIsNew(true)}>
          New experiment
        </Button>
      }
    >
      <div className={style.bar}>
        <NameSearch value={name} onChange={(word) => change({ name: word })} />
        <label>
          <input
            type="checkbox"
            checked={isArchived}
            onChange={(event) => change({ storage: event.target.checked ? "archived" : "" })}
          />{" "}
          Archived
        </label>
      </div>
      {list.isError && rows.length === 0 ? (
        <Failed what="The experiments cannot be listed" error={list.error} onRetry={() => void list.refetch()} />
      ) : list.isPending ? (
        <Loading what="Loading experiments" lines={8} />
      ) : rows.length === 0 ? (
        <Empty
          title={name ? "No experiment is called that" : isArchived ? "Nothing is archived" : "No experiments yet"}
        >
          {!name && !isArchived && <p>They keep runs together that belong together.</p>}
        </Empty>
      ) : (
        <FittingList
          leastWorth={LEAST_WORTH}
          label="Experiments"
          rows={rows}
          id={(it) => it.experiment_id}
          name={(it) => it.display_name}
          columns={COLUMNS}
          sort={sort}
          onSort={(it) => change({ sort: `${it.by} ${it.descending ? "desc" : "asc"}` })}
          hasMore={list.hasNextPage}
          isLoadingMore={list.isFetchingNextPage}
          onMore={() => void list.fetchNextPage()}
        />
      )}
      {isNew && <NewExperiment onClose={() => setIsNew(false)} />}
    </Page>
  );
}
