import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Suspense } from "react";
import { Link, useParams } from "react-router";
import type { Json } from "../../api/kfp";
import { type ArtifactDetail, artifactDetailQuery, usesQuery } from "../../api/lineage";
import { part } from "../../app/part";
import { to } from "../../app/routes";
import { Button } from "../../design/Button";
import { Copy } from "../../design/Copy";
import { Moment } from "../../design/Moment";
import { Failed, Loading } from "../../design/Notice";
import { Card, Page } from "../../design/Page";
import { StatusMark } from "../../design/StatusMark";
import { bytes } from "../../model/bytes";
import { standingOf } from "../../model/state";
import style from "./Artifacts.module.css";
import { LineageCard } from "./LineageCard";

/** Letters of a value that are shown at once, and at all. */
const LONGEST = 120;
const MOST = 100_000;

const ArtifactPreview = part(async () => ({
  default: (await import("../../preview/ArtifactPreview")).ArtifactPreview,
}));

export default function Artifact() {
  const { artifactId = "" } = useParams();
  const artifact = useQuery(artifactDetailQuery(artifactId));
  return (
    <Page title={artifact.data?.name ?? "Artifact"} crumbs={[{ name: "Artifacts", to: to.artifacts }]}>
      {artifact.isError ? (
        <Failed what="The artifact cannot be read" error={artifact.error} onRetry={() => void artifact.refetch()} />
      ) : !artifact.data ? (
        <Loading what="Reading the artifact" lines={6} />
      ) : (
        <>
          <LineageCard id={artifactId} />
          <div className={style.columns}>
            <Card title="Preview">
              <div className={style.padded}>
                <Suspense fallback={<Loading what="Reading its content" />}>
                  <ArtifactPreview artifact={artifact.data} />
                </Suspense>
              </div>
            </Card>
            <Facts artifact={artifact.data} />
          </div>
          <div className={style.columns}>
            <Uses id={artifactId} kind="runs" title="Put out by" />
            <Uses id={artifactId} kind="consumers" title="Taken by" />
          </div>
        </>
      )}
    </Page>
  );
}

function Facts({ artifact }: { artifact: ArtifactDetail }) {
  const { producer } = artifact;
  return (
    <Card title="About it">
      <dl className={`definitions ${style.padded}`}>
        <dt>Type</dt>
        <dd>
          {artifact.type} <span className="soft">{artifact.schema_version}</span>
        </dd>
        <dt>Made by</dt>
        <dd>
          {producer ? (
            <>
              <Link to={to.task(producer.run_id, producer.task_path)}>{producer.task_name}</Link>
              <span className="soft"> in {producer.run_name}</span>
              {producer.deleted && <span className="soft"> (deleted)</span>}
            </>
          ) : (
            "not known"
          )}
        </dd>
        <dt>Created</dt>
        <dd>
          <Moment at={artifact.created_at} form="full" />
        </dd>
        {artifact.size !== undefined && (
          <>
            <dt>Size</dt>
            <dd>
              {bytes(Number(artifact.size))}
              {(artifact.files ?? 1) > 1 && ` in ${artifact.files} files`}
            </dd>
          </>
        )}
        <dt>URI</dt>
        <dd className="mono">
          {artifact.uri} <Copy what="the URI" text={artifact.uri} />
        </dd>
        {artifact.digest && (
          <>
            <dt>Digest</dt>
            <dd className="mono">{artifact.digest}</dd>
          </>
        )}
        {Object.entries(artifact.metadata ?? {}).map(([key, value]) => (
          <div key={key} style={{ display: "contents" }}>
            <dt className="mono">{key}</dt>
            <dd>
              <Metadata value={value} />
            </dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}

/** A value in one line, or how much there is of it: what it draws is in the preview. */
function Metadata({ value }: { value: Json }) {
  const text = JSON.stringify(value);
  if (text.length <= LONGEST) {
    return <code>{text}</code>;
  }
  const items = Array.isArray(value) ? value.length : typeof value === "object" ? Object.keys(value ?? {}).length : 0;
  return (
    <details>
      <summary className="soft">{items > 0 ? `${items} ${items === 1 ? "part" : "parts"}` : "Long text"}</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: keys scroll what has the focus */}
      <pre className={style.long} tabIndex={0}>
        {JSON.stringify(value, null, 1).slice(0, MOST)}
      </pre>
    </details>
  );
}

function Uses({ id, kind, title }: { id: string; kind: "runs" | "consumers"; title: string }) {
  const found = useInfiniteQuery(usesQuery(id, kind));
  const uses = found.data?.pages.flatMap((page) => page[kind] ?? []) ?? [];
  return (
    <Card title={title}>
      {found.isError ? (
        <Failed what="The tasks cannot be listed" error={found.error} onRetry={() => void found.refetch()} />
      ) : found.isPending ? (
        <Loading />
      ) : uses.length === 0 ? (
        <p className={`soft ${style.padded}`}>No task yet.</p>
      ) : (
        <ul className={style.uses}>
          {uses.map((use) => (
            <li key={`${use.run_id} ${use.task_path} ${use.input ?? use.output}`}>
              <StatusMark standing={use.cached ? "cached" : standingOf(use.state)} bare />
              <span className="ellipsis">
                <Link to={to.task(use.run_id, use.task_path)}>{use.task_path}</Link>
                <span className="soft"> in {use.run_name}</span>
              </span>
              <Moment at={use.taken_at ?? use.finished_at} />
            </li>
          ))}
        </ul>
      )}
      {found.hasNextPage && (
        <p className={style.padded}>
          <Button busy={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
            More
          </Button>
        </p>
      )}
    </Card>
  );
}
