import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useExperimentNames, usePipelineNames } from "../../api/names";
import { runSearchQuery } from "../../api/runs";
import { useNamespace } from "../../app/namespace";
import { useAddressQuery } from "../../app/query";
import { to } from "../../app/routes";
import { LinkButton } from "../../design/LinkButton";
import type { Sort } from "../../design/List";
import { Empty, Failed, Loading } from "../../design/Notice";
import { isNarrow, predicates, readFilter } from "../../model/runFilter";
import {
  knownNames,
  readColumns,
  readValueName,
  totalWords,
  type ValueName,
  valueKey,
  writeColumns,
} from "../../model/runValues";
import { Chosen } from "./Chosen";
import { ColumnChooser } from "./ColumnChooser";
import { columnsOf } from "./columns";
import { Filters } from "./Filters";
import { FittingList } from "./FittingList";

const LEAST_WORTH = ["experiment", "pipeline", "took"];

const SORTS = ["created_at", "name", "finished_at", "state"];

function readSort(query: URLSearchParams): Sort {
  // Names of values may have spaces.
  const [, by = "", direction] = /^(.*?)(?: (asc|desc))?$/s.exec(query.get("sort") ?? "") ?? [];
  const isKnown = SORTS.includes(by) || readValueName(by) !== undefined;
  return isKnown ? { by, descending: direction !== "asc" } : { by: "created_at", descending: true };
}

/** Runs by what the address says; of one experiment on its page. */
export function RunList({ experimentId }: { experimentId?: string }) {
  const [query, setQuery] = useAddressQuery();
  const namespace = useNamespace();
  const filter = readFilter(query);
  const sort = readSort(query);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const shown = useMemo(() => readColumns(query) ?? storedColumns(), [query]);
  const list = useInfiniteQuery({
    ...runSearchQuery({
      namespace,
      experimentId: experimentId ?? (filter.experiment || undefined),
      predicates: predicates(filter),
      storage: filter.isArchived ? "ARCHIVED" : "AVAILABLE",
      sort: `${sort.by} ${sort.descending ? "desc" : "asc"}`,
    }),
    placeholderData: (before) => before,
  });
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.runs ?? []) ?? [], [list.data]);
  const values = useMemo(
    () => new Map(list.data?.pages.flatMap((page) => Object.entries(page.values ?? {})) ?? []),
    [list.data],
  );
  const first = list.data?.pages[0];
  const sortedBy = readValueName(sort.by);
  const experiments = useExperimentNames(rows.map((run) => run.experiment_id));
  const pipelines = usePipelineNames(rows.map((run) => run.pipeline_version_reference?.pipeline_id ?? ""));
  const columns = useMemo(
    () => columnsOf({ experiments, pipelines, shown, values, isOfExperiment: experimentId !== undefined }),
    [experiments, pipelines, shown, values, experimentId],
  );
  const known = useMemo(() => knownNames(rows, values), [rows, values]);
  const show = (names: readonly ValueName[]) => {
    localStorage.setItem(COLUMNS_KEY, JSON.stringify(names.map(valueKey)));
    setQuery((before) => writeColumns(before, names), { replace: true });
  };
  return (
    <>
      <Filters
        filter={filter}
        isOfExperiment={experimentId !== undefined}
        total={totalWords(first?.total_size ?? 0, first?.total_is_least ?? false, sortedBy)}
        known={known}
      >
        <ColumnChooser known={known} shown={shown} onShow={show} />
      </Filters>
      {first?.values_incomplete && (filter.conditions.length > 0 || sortedBy !== undefined) && (
        <p className="soft" role="status">
          Parameters and metrics of earlier runs are still being recorded; more runs may be found later.
        </p>
      )}
      {chosen.size > 0 && (
        <Chosen runs={rows.filter((run) => chosen.has(run.run_id))} onDone={() => setChosen(new Set())} />
      )}
      {list.isError && rows.length === 0 ? (
        <Failed what="The runs cannot be listed" error={list.error} onRetry={() => void list.refetch()} />
      ) : list.isPending ? (
        <Loading what="Loading runs" lines={8} />
      ) : rows.length === 0 ? (
        <NoRuns isFiltered={isNarrow(filter)} isArchived={filter.isArchived} sortedBy={sortedBy} />
      ) : (
        <FittingList
          leastWorth={LEAST_WORTH}
          isOld={list.isPlaceholderData}
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
      )}
    </>
  );
}

function NoRuns({
  isFiltered,
  isArchived,
  sortedBy,
}: {
  isFiltered: boolean;
  isArchived: boolean;
  sortedBy: ValueName | undefined;
}) {
  if (isFiltered) {
    return <Empty title="No run is like that">Take away a filter to see more.</Empty>;
  }
  if (sortedBy !== undefined) {
    return <Empty title={`No run has a number for ${sortedBy.name}`}>Sort by something else to see all.</Empty>;
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

const COLUMNS_KEY = "penstock.runs.columns";

/** The columns that were chosen last. */
function storedColumns(): readonly ValueName[] {
  try {
    const names: unknown = JSON.parse(localStorage.getItem(COLUMNS_KEY) ?? "[]");
    const texts = Array.isArray(names) ? names.filter((name) => typeof name === "string") : [];
    return texts.map(readValueName).filter((name) => name !== undefined);
  } catch {
    return [];
  }
}
