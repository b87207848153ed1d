import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { Link } from "react-router";
import type { Pipeline } from "../../api/kfp";
import { pipelinesQuery } from "../../api/pipelines";
import { useNamespace } from "../../app/namespace";
import { useAddressWords } from "../../app/query";
import { to } from "../../app/routes";
import { Button } from "../../design/Button";
import { LinkButton } from "../../design/LinkButton";
import type { Column, Sort } from "../../design/List";
import { Moment } from "../../design/Moment";
import { NameSearch } from "../../design/NameSearch";
import { Empty, Failed, Loading } from "../../design/Notice";
import { Page } from "../../design/Page";
import { Tags } from "../../design/Tags";
import { FittingList } from "../runs/FittingList";
import { DropZone } from "./DropZone";
import { Upload } from "./Upload";

const LEAST_WORTH = ["description", "tags"];

const COLUMNS: Column<Pipeline>[] = [
  {
    key: "name",
    label: "Name",
    sort: "display_name",
    render: (it) => (
      <Link to={to.pipeline(it.pipeline_id)} title={it.description || it.display_name}>
        {it.display_name}
      </Link>
    ),
  },
  { key: "tags", label: "Tags", width: "14rem", render: (it) => <Tags tags={it.tags} /> },
  { key: "description", label: "Description", render: (it) => <span className="soft">{it.description}</span> },
  {
    key: "created",
    label: "Created",
    width: "10rem",
    sort: "created_at",
    render: (it) => <Moment at={it.created_at} />,
  },
  {
    key: "run",
    label: "",
    width: "6.5rem",
    render: (it) => (
      <LinkButton kind="quiet" icon="runs" to={to.newRun({ pipelineId: it.pipeline_id })}>
        Run
      </LinkButton>
    ),
  },
];

/** A column in which no row has anything takes room from those that have. */
function columnsFor(rows: readonly Pipeline[]): Column<Pipeline>[] {
  const isEmpty: Record<string, boolean> = {
    tags: rows.every((it) => Object.keys(it.tags ?? {}).length === 0),
    description: rows.every((it) => !it.description),
  };
  return COLUMNS.filter(({ key }) => !isEmpty[key]);
}

export default function Pipelines() {
  const [query, change] = useAddressWords();
  const namespace = useNamespace();
  const name = query.get("name") ?? "";
  const [by = "", direction] = (query.get("sort") ?? "created_at desc").split(" ");
  const sort: Sort = { by: by === "display_name" ? by : "created_at", descending: direction !== "asc" };
  const [file, setFile] = useState<File>();
  const isUploading = file !== undefined || query.has("upload");
  const list = useInfiniteQuery({
    ...pipelinesQuery(
      namespace,
      name === "" ? [] : [{ key: "display_name", operation: "IS_SUBSTRING", string_value: name }],
      `${sort.by} ${sort.descending ? "desc" : "asc"}`,
    ),
    placeholderData: (before) => before,
  });
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.pipelines ?? []) ?? [], [list.data]);
  const columns = useMemo(() => columnsFor(rows), [rows]);
  return (
    <DropZone onFile={setFile}>
      <Page
        title="Pipelines"
        wide
        actions={
          <Button kind="primary" icon="upload" onClick={() => change({ upload: "1" })}>
            Upload a pipeline
          </Button>
        }
      >
        <NameSearch value={name} onChange={(word) => change({ name: word })} />
        {list.isError && rows.length === 0 ? (
          <Failed what="The pipelines cannot be listed" error={list.error} onRetry={() => void list.refetch()} />
        ) : list.isPending ? (
          <Loading what="Loading pipelines" lines={8} />
        ) : rows.length === 0 ? (
          <Empty title={name ? "No pipeline is called that" : "No pipelines yet"}>
            {!name && <p>Drop a compiled pipeline (.yaml, .json, .zip, .tar.gz) here, or upload it.</p>}
          </Empty>
        ) : (
          <FittingList
            leastWorth={LEAST_WORTH}
            label="Pipelines"
            rows={rows}
            id={(it) => it.pipeline_id}
            name={(it) => it.display_name}
            columns={columns}
            sort={sort}
            onSort={(it) => change({ sort: `${it.by} ${it.descending ? "desc" : "asc"}` })}
            hasMore={list.hasNextPage}
            isLoadingMore={list.isFetchingNextPage}
            onMore={() => void list.fetchNextPage()}
          />
        )}
        {isUploading && (
          <Upload
            first={file}
            onClose={() => {
              setFile(undefined);
              change({ upload: "" });
            }}
          />
        )}
      </Page>
    </DropZone>
  );
}
