import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link } from "react-router";
import { artifactsQuery } from "../../api/artifacts";
import type { Artifact } from "../../api/penstock";
import { useNamespace } from "../../app/namespace";
import { useAddressWords } from "../../app/query";
import { to } from "../../app/routes";
import { Button } from "../../design/Button";
import { type Column, List } from "../../design/List";
import { Moment } from "../../design/Moment";
import { Empty, Failed, Loading } from "../../design/Notice";
import { Page } from "../../design/Page";
import { SearchField } from "../../design/SearchField";
import { FIELDS, readArtifactFilter, TYPES } from "../../model/artifactFilter";
import { bytes } from "../../model/bytes";
import style from "./Artifacts.module.css";

const COLUMNS: Column<Artifact>[] = [
  { key: "name", label: "Name", render: (it) => <Link to={to.artifact(it.artifact_id)}>{it.name}</Link> },
  { key: "type", label: "Type", width: "11rem", render: (it) => it.type.replace(/^system\./, "") },
  {
    key: "run",
    label: "Made by",
    render: (it) =>
      it.producer && (
        <>
          <Link to={to.task(it.producer.run_id, it.producer.task_path)}>{it.producer.task_name}</Link>
          <span className="soft"> in {it.producer.run_name}</span>
        </>
      ),
  },
  {
    key: "metadata",
    label: "Metadata",
    render: (it) => (
      <span className="soft mono">
        {Object.entries(it.metadata ?? {})
          .slice(0, 6)
          .map(([key, value]) => `${key}=${JSON.stringify(value)?.slice(0, 40)}`)
          .join(" ")}
      </span>
    ),
  },
  {
    key: "size",
    label: "Size",
    width: "6rem",
    align: "end",
    render: (it) => (it.size === undefined ? "–" : bytes(Number(it.size))),
  },
  { key: "created", label: "Created", width: "11.5rem", render: (it) => <Moment at={it.created_at} /> },
];

export default function Artifacts() {
  const [query, change] = useAddressWords();
  const namespace = useNamespace();
  const { asked, problem } = readArtifactFilter(query);
  const list = useInfiniteQuery({
    ...artifactsQuery({ namespace, ...asked }),
    enabled: problem === undefined,
    placeholderData: (before) => before,
  });
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.artifacts ?? []) ?? [], [list.data]);
  const isNarrow = FIELDS.some((field) => query.get(field.name));
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
        {isNarrow && (
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
        <Empty title={isNarrow ? "No artifact is like that" : "No artifacts yet"}>
          {!isNarrow && <p>What tasks put out as datasets, models, metrics and the like is listed here.</p>}
        </Empty>
      ) : (
        <List
          label="Artifacts"
          rows={rows}
          id={(it) => it.artifact_id}
          name={(it) => it.name}
          columns={COLUMNS}
          hasMore={list.hasNextPage}
          isLoadingMore={list.isFetchingNextPage}
          onMore={() => void list.fetchNextPage()}
        />
      )}
    </Page>
  );
}
