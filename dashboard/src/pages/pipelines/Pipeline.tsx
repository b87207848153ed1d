import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Suspense, useState } from "react";
import { useNavigate, useParams } from "react-router";
import type { Pipeline as PipelineRecord, PipelineVersion } from "../../api/kfp";
import type { PipelineSpec } from "../../api/penstock";
import { pipelineQuery, versionQuery, versionsQuery } from "../../api/pipelines";
import { part } from "../../app/part";
import { useAddressQuery } from "../../app/query";
import { to } from "../../app/routes";
import { Button } from "../../design/Button";
import { LinkButton } from "../../design/LinkButton";
import { Moment } from "../../design/Moment";
import { Empty, Failed, Loading } from "../../design/Notice";
import { Page } from "../../design/Page";
import { Tabs } from "../../design/Tabs";
import { Tags } from "../../design/Tags";
import { isolated } from "../../model/bidi";
import { pipelineOf } from "../../model/parameters";
import { short } from "../../model/time";
import { useSelection } from "../run/view";
import { type Asked, Dialogs } from "./Dialogs";
import { DropZone } from "./DropZone";
import style from "./Pipelines.module.css";
import { Source } from "./Source";
import { Summary } from "./Summary";
import { TaskCard } from "./TaskCard";

const PipelineGraph = part(async () => ({ default: (await import("../run/graph/PipelineGraph")).PipelineGraph }));

const TABS = [
  { name: "graph", label: "Graph" },
  { name: "about", label: "Inputs and versions" },
  { name: "source", label: "Source" },
] as const;
type TabName = (typeof TABS)[number]["name"];

export default function Pipeline() {
  const { pipelineId = "", versionId = "" } = useParams();
  const pipeline = useQuery(pipelineQuery(pipelineId));
  const list = useInfiniteQuery(versionsQuery(pipelineId));
  const versions = list.data?.pages.flatMap((page) => page.pipeline_versions ?? []) ?? [];
  const shown = versionId || (versions[0]?.pipeline_version_id ?? "");
  const version = useQuery(versionQuery(pipelineId, shown));
  const [file, setFile] = useState<File>();
  const [open, setOpen] = useState<Asked>();
  const error = pipeline.error ?? list.error ?? version.error;
  return (
    <DropZone onFile={setFile}>
      <Page
        title={pipeline.data?.display_name ?? "Pipeline"}
        crumbs={[{ name: "Pipelines", to: to.pipelines }]}
        wide
        actions={
          !pipeline.isError && (
            <>
              <Button icon="edit" label="Tags of the pipeline" kind="quiet" onClick={() => setOpen("tags")} />
              <Button icon="trash" label="Delete the pipeline" kind="quiet" onClick={() => setOpen("delete")} />
              <Button icon="upload" onClick={() => setOpen("upload")}>
                New version
              </Button>
              <LinkButton to={to.runsOf({ pipeline: pipelineId, version: versionId })} icon="runs">
                Its runs
              </LinkButton>
              <LinkButton to={to.newSchedule({ pipelineId, pipelineVersionId: versionId })} icon="schedules">
                Schedule
              </LinkButton>
              <LinkButton to={to.newRun({ pipelineId, pipelineVersionId: shown })} icon="runs" kind="primary">
                Run
              </LinkButton>
            </>
          )
        }
      >
        {pipeline.data && <About pipeline={pipeline.data} />}
        {error ? (
          <Failed what="The pipeline cannot be read" error={error} onRetry={() => void pipeline.refetch()} />
        ) : version.data ? (
          <Version
            version={version.data}
            versions={versions}
            hasMore={list.hasNextPage}
            onMore={() => void list.fetchNextPage()}
            onTags={() => setOpen("version tags")}
            onDelete={() => setOpen("delete version")}
          />
        ) : list.isSuccess && versions.length === 0 ? (
          <Empty title="No version yet">Upload one to see its graph and to run it.</Empty>
        ) : (
          <Loading what="Reading the pipeline" lines={8} />
        )}
        {(open || file) && (
          <Dialogs
            open={file ? "upload" : open}
            file={file}
            pipeline={{ ...pipeline.data, pipeline_id: pipelineId }}
            version={version.data}
            onClose={() => {
              setFile(undefined);
              setOpen(undefined);
            }}
          />
        )}
      </Page>
    </DropZone>
  );
}

/** What a pipeline is for, and its tags. */
function About({ pipeline: { description, tags } }: { pipeline: PipelineRecord }) {
  return (
    (description || Object.keys(tags ?? {}).length > 0) && (
      <div className={style.of}>
        {description && <span className="soft">{description}</span>}
        <Tags tags={tags} />
      </div>
    )
  );
}

function Version({
  version,
  versions,
  hasMore,
  onMore,
  onTags,
  onDelete,
}: {
  version: PipelineVersion;
  versions: readonly PipelineVersion[];
  hasMore: boolean;
  onMore: () => void;
  onTags: () => void;
  onDelete: () => void;
}) {
  const navigate = useNavigate();
  const [query, setQuery] = useAddressQuery();
  const asked = query.get("view");
  const tab: TabName = TABS.find((it) => it.name === asked)?.name ?? "graph";
  const spec = pipelineOf(version.pipeline_spec);
  const isListed = versions.some((it) => it.pipeline_version_id === version.pipeline_version_id);
  return (
    <>
      <div className={style.bar}>
        <select
          className="input"
          aria-label="Version"
          value={version.pipeline_version_id}
          onChange={(event) => void navigate(to.version(version.pipeline_id, event.target.value))}
        >
          {!isListed && <option value={version.pipeline_version_id}>{version.display_name}</option>}
          {versions.map((it) => (
            <option key={it.pipeline_version_id} value={it.pipeline_version_id}>
              {isolated(it.display_name)} · {short(Date.parse(it.created_at))}
            </option>
          ))}
        </select>
        <span className="soft small">
          uploaded <Moment at={version.created_at} form="ago" />
        </span>
        <Tags tags={version.tags} />
        <Button kind="quiet" icon="edit" onClick={onTags}>
          Tags of the version
        </Button>
      </div>
      <Tabs
        label="Views of the version"
        tabs={TABS}
        chosen={tab}
        onChoose={(name) => setQuery(name === "graph" ? {} : { view: name }, { replace: true })}
        panel="version"
      />
      <div
        id="version"
        role="tabpanel"
        aria-label={tab}
        className={style.panel}
        data-bare={(spec && tab === "graph") || undefined}
      >
        {!spec ? (
          <Failed what="The pipeline of this version is not understood" error={new Error("It has no tasks.")} />
        ) : tab === "graph" ? (
          <Tasks spec={spec} />
        ) : tab === "source" ? (
          <Source version={version} />
        ) : (
          <Summary
            spec={spec}
            version={version}
            versions={versions}
            hasMore={hasMore}
            onMore={onMore}
            onDelete={onDelete}
          />
        )}
      </div>
    </>
  );
}

/** The graph, and beside it what the task is that is chosen in it. */
function Tasks({ spec }: { spec: PipelineSpec }) {
  const { selected, select } = useSelection();
  return (
    <div className={style.split}>
      <Suspense fallback={<Loading what="Drawing the graph" />}>
        <PipelineGraph spec={spec} />
      </Suspense>
      {selected !== undefined && (
        <div className={style.beside}>
          <TaskCard spec={spec} path={selected} onSelect={select} />
        </div>
      )}
    </div>
  );
}
