import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import type { Run } from "../../api/kfp";
import { useExperimentNames, usePipelineNames } from "../../api/names";
import { runsQuery } from "../../api/runs";
import { useNamespace } from "../../app/namespace";
import { useAddressQuery } from "../../app/query";
import { to } from "../../app/routes";
import { LinkButton } from "../../design/LinkButton";
import { List, type Sort } from "../../design/List";
import { Empty, Failed, Loading } from "../../design/Notice";
import { isNarrow, predicates, readFilter } from "../../model/runFilter";
import { Chosen } from "./Chosen";
import { columnsOf } from "./columns";
import { Filters } from "./Filters";
import style from "./RunList.module.css";

const SORTS = ["created_at", "name", "finished_at", "state"];

function readSort(query: URLSearchParams): Sort {
  const [by = "", direction] = (query.get("sort") ?? "").split(" ");
  return SORTS.includes(by) ? { by, descending: direction !== "asc" } : { by: "created_at", descending: true };
}

/** Runs by what the address says; of one experiment on its page. */
export function RunList({ experimentId }: { experimentId?: string }) {
  const [query, setQuery] = useAddressQuery();
  const namespace = useNamespace();
  const filter = readFilter(query);
  const sort = readSort(query);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [parameters, setParameters] = useState<readonly string[]>(storedColumns);
  const list = useInfiniteQuery({
    ...runsQuery({
      namespace,
      experimentId: experimentId ?? (filter.experiment || undefined),
      predicates: predicates(filter),
      storage: filter.isArchived ? "ARCHIVED" : "AVAILABLE",
      sort: `${sort.by} ${sort.descending ? "desc" : "asc"}`,
    }),
    placeholderData: (before) => before,
  });
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.runs ?? []) ?? [], [list.data]);
  const total = list.data?.pages[0]?.total_size ?? 0;
  const experiments = useExperimentNames(rows.map((run) => run.experiment_id));
  const pipelines = usePipelineNames(rows.map((run) => run.pipeline_version_reference?.pipeline_id ?? ""));
  const columns = useMemo(
    () => columnsOf({ experiments, pipelines, parameters, isOfExperiment: experimentId !== undefined }),
    [experiments, pipelines, parameters, experimentId],
  );
  const known = useMemo(() => parameterNames(rows), [rows]);
  return (
    <>
      <Filters
        filter={filter}
        isOfExperiment={experimentId !== undefined}
        total={total}
        known={known}
        parameters={parameters}
        onParameters={(names) => {
          localStorage.setItem(COLUMNS_KEY, JSON.stringify(names));
          setParameters(names);
        }}
      />
      {chosen.size > 0 && (
        <Chosen runs={rows.filter((run) => chosen.has(run.run_id))} onDone={() => setChosen(new Set())} />
      )}
      {list.isError && rows.length === 0 ? (
        <Failed what="The runs cannot be listed" error={list.error} onRetry={() => void list.refetch()} />
      ) : list.isPending ? (
        <Loading what="Loading runs" lines={8} />
      ) : rows.length === 0 ? (
        <NoRuns isFiltered={isNarrow(filter)} isArchived={filter.isArchived} />
      ) : (
        <div className={style.rows} data-old={list.isPlaceholderData || undefined}>
          <List
            label="Runs"
            rows={rows}
            id={(run) => run.run_id}
            name={(run) => run.display_name}
            columns={columns}
            sort={sort}
            onSort={({ by, descending }) =>
              setQuery((before) => {
                const after = new URLSearchParams(before);
                after.set("sort", `${by} ${descending ? "desc" : "asc"}`);
                return after;
              })
            }
            chosen={chosen}
            onChoose={setChosen}
            hasMore={list.hasNextPage}
            isLoadingMore={list.isFetchingNextPage}
            onMore={() => void list.fetchNextPage()}
          />
        </div>
      )}
    </>
  );
}

function NoRuns({ isFiltered, isArchived }: { isFiltered: boolean; isArchived: boolean }) {
  if (isFiltered) {
    return <Empty title="No run is like that">Take away a filter to see more.</Empty>;
  }
  if (isArchived) {
    return <Empty title="Nothing is archived">Runs that are archived are kept here until they are deleted.</Empty>;
  }
  return (
    <Empty
      title="No runs yet"
      action={
        <LinkButton to={to.pipelines} icon="upload" kind="primary">
          Upload a pipeline
        </LinkButton>
      }
    >
      <p>Submit one from Python with kfp.Client, or upload a compiled pipeline and start it here.</p>
    </Empty>
  );
}

const COLUMNS_KEY = "penstock.runs.parameters";

function storedColumns(): readonly string[] {
  try {
    const names: unknown = JSON.parse(localStorage.getItem(COLUMNS_KEY) ?? "[]");
    return Array.isArray(names) ? names.filter((name) => typeof name === "string") : [];
  } catch {
    return [];
  }
}

/** Names of the parameters of the runs that are loaded. */
function parameterNames(rows: readonly Run[]): string[] {
  const names = new Set(rows.flatMap((run) => Object.keys(run.runtime_config?.parameters ?? {})));
  return [...names].sort((a, b) => a.localeCompare(b));
}
