import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link } from "react-router";
import { artifactsQuery } from "../../api/artifacts";
import type { Json } from "../../api/kfp";
import type { Artifact, Producer } from "../../api/penstock";
import { useNamespace } from "../../app/namespace";
import { useAddressWords } from "../../app/query";
import { to } from "../../app/routes";
import { useIsNarrow } from "../../app/width";
import { Button } from "../../design/Button";
import type { Column } from "../../design/List";
import { Moment } from "../../design/Moment";
import { Empty, Failed, Loading } from "../../design/Notice";
import { Page } from "../../design/Page";
import { SearchField } from "../../design/SearchField";
import { FIELDS, readArtifactFilter, TYPES } from "../../model/artifactFilter";
import { bytes } from "../../model/bytes";
import { FittingList } from "../runs/FittingList";
import style from "./Artifacts.module.css";

/** What goes first where there is no room for all. */
const LEAST_WORTH = ["size", "metadata", "type"];

/** The columns; where there is little room, times are distances. */
function columnsOf(isNarrow: boolean): Column<Artifact>[] {
  return [
    {
      key: "name",
      label: "Name",
      ...(isNarrow ? { width: "8rem" } : { least: "13rem" }),
      render: (it) => (
        <Link to={to.artifact(it.artifact_id)} title={it.name}>
          {it.name}
        </Link>
      ),
    },
    {
      key: "type",
      label: "Type",
      width: isNarrow ? "6.5rem" : "10.5rem",
      render: (it) => <span title={it.type}>{it.type.replace(/^system\./, "")}</span>,
    },
    { key: "run", label: "Made by", least: "13rem", render: (it) => it.producer && <MadeBy producer={it.producer} /> },
    {
      key: "metadata",
      label: "Metadata",
      least: "13rem",
      render: (it) => <Metadata metadata={it.metadata ?? {}} />,
    },
    {
      key: "size",
      label: "Size",
      width: "5.5rem",
      align: "end",
      render: (it) => (it.size === undefined ? "–" : bytes(Number(it.size))),
    },
    {
      key: "created",
      label: "Created",
      width: isNarrow ? "7rem" : "10rem",
      render: (it) => <Moment at={it.created_at} form={isNarrow ? "ago" : "short"} />,
    },
  ];
}

function MadeBy({ producer }: { producer: Producer }) {
  return (
    <span title={`${producer.task_path} in ${producer.run_name ?? producer.run_id}`}>
      <Link to={to.task(producer.run_id, producer.task_path)}>{producer.task_name}</Link>
      <span className="soft"> in {producer.run_name}</span>
    </span>
  );
}

function Metadata({ metadata }: { metadata: Record<string, Json> }) {
  const words = Object.entries(metadata)
    .slice(0, 6)
    .map(([key, value]) => `${key}=${JSON.stringify(value)?.slice(0, 40)}`)
    .join(" ");
  return (
    <span className="soft mono" title={words}>
      {words}
    </span>
  );
}

export default function Artifacts() {
  const [query, change] = useAddressWords();
  const namespace = useNamespace();
  const { asked, problem } = readArtifactFilter(query);
  const list = useInfiniteQuery({
    ...artifactsQuery({ namespace, ...asked }),
    enabled: problem === undefined,
    placeholderData: (before) => before,
  });
  const isNarrow = useIsNarrow();
  const columns = useMemo(() => columnsOf(isNarrow), [isNarrow]);
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.artifacts ?? []) ?? [], [list.data]);
  const isFiltered = FIELDS.some((field) => query.get(field.name));
  return (
    <Page title="Artifacts" wide>
      <search className={style.bar}>
        <select
          className="input"
          aria-label="Type"
          value={query.get("type") ?? ""}
          onChange={(event) => change({ type: event.target.value })}
        >
          <option value="">Any type</option>
          {TYPES.map((type) => (
            <option key={type} value={type}>
              {type.replace(/^system\./, "")}
            </option>
          ))}
        </select>
        {FIELDS.filter((field) => field.name !== "type").map((field) => (
          <SearchField
            key={field.name}
            label={field.label}
            placeholder={field.label}
            hint={field.hint}
            value={query.get(field.name) ?? ""}
            onChange={(word) => change({ [field.name]: word })}
          />
        ))}
        {isFiltered && (
          <Button kind="quiet" onClick={() => change(Object.fromEntries(FIELDS.map((field) => [field.name, ""])))}>
            Clear
          </Button>
        )}
      </search>
      {problem && <p role="alert">{problem}</p>}
      {list.isError && rows.length === 0 ? (
        <Failed what="The artifacts cannot be listed" error={list.error} onRetry={() => void list.refetch()} />
      ) : list.isLoading ? (
        <Loading what="Loading artifacts" lines={8} />
      ) : rows.length === 0 && !list.hasNextPage ? (
        <Empty title={isFiltered ? "No artifact is like that" : "No artifacts yet"}>
          {!isFiltered && <p>What tasks put out as datasets, models, metrics and the like is listed here.</p>}
        </Empty>
      ) : (
        <FittingList
          leastWorth={LEAST_WORTH}
          isOld={list.isPlaceholderData}
          label="Artifacts"
          rows={rows}
          id={(it) => it.artifact_id}
          name={(it) => it.name}
          columns={columns}
          hasMore={list.hasNextPage}
          isLoadingMore={list.isFetchingNextPage}
          onMore={() => void list.fetchNextPage()}
        />
      )}
    </Page>
  );
}
