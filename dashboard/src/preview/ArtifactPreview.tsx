import { Suspense } from "react";
import { contentUrl } from "../api/artifacts";
import type { Artifact } from "../api/penstock";
import { part } from "../app/part";
import button from "../design/Button.module.css";
import { Icon } from "../design/Icon";
import { Loading } from "../design/Notice";
import { kindOfArtifact } from "../model/preview";
import { Content } from "./Content";
import { Metrics } from "./Metrics";
import style from "./Preview.module.css";

const Classification = part(() => import("./Classification"));
const Slices = part(() => import("./Slices"));
const Files = part(() => import("./Files"));

/** What an artifact holds, as far as it can be shown: whoever made it decides what it says, and nothing else. */
export function ArtifactPreview({ artifact }: { artifact: Artifact }) {
  const kind = kindOfArtifact(artifact);
  // What was imported has no digest.
  const isOfMetadata = kind === "metrics" || kind === "classification" || kind === "sliced";
  const hasFile = !artifact.directory && (artifact.digest !== undefined || !isOfMetadata);
  return (
    <div className={style.preview}>
      <Suspense fallback={<Loading what="Loading the preview" />}>
        <Shown artifact={artifact} kind={kind} />
      </Suspense>
      {hasFile && (
        <div>
          <a
            className={button.button}
            data-kind="quiet"
            href={contentUrl(artifact.artifact_id, { download: true })}
            download
          >
            <Icon name="download" />
            Download
          </a>
        </div>
      )}
    </div>
  );
}

function Shown({ artifact, kind }: { artifact: Artifact; kind: ReturnType<typeof kindOfArtifact> }) {
  switch (kind) {
    case "metrics":
      return <Metrics metadata={artifact.metadata} />;
    case "classification":
      return <Classification metadata={artifact.metadata} />;
    case "sliced":
      return <Slices metadata={artifact.metadata} />;
    case "directory":
      return <Files id={artifact.artifact_id} />;
    default:
      return (
        <Content
          id={artifact.artifact_id}
          name={artifact.name}
          kind={kind}
          size={artifact.size === undefined ? undefined : Number(artifact.size)}
        />
      );
  }
}
