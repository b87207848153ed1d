import { useQuery } from "@tanstack/react-query";
import type { PipelineVersion } from "../../api/kfp";
import { sourceQuery, sourceUrl } from "../../api/pipelineSource";
import button from "../../design/Button.module.css";
import { Copy } from "../../design/Copy";
import { Icon } from "../../design/Icon";
import { Failed, Loading } from "../../design/Notice";
import { inCode } from "../../model/bidi";
import style from "./Pipelines.module.css";

/** More than that is for an editor. */
const SHOWN = 200_000;

/** A version as it was uploaded. */
export function Source({ version }: { version: PipelineVersion }) {
  const { pipeline_id: id, pipeline_version_id: versionId, display_name: name } = version;
  const source = useQuery(sourceQuery(id, versionId));
  if (source.isPending) {
    return <Loading what="Reading the source" lines={12} />;
  }
  if (source.isError) {
    return <Failed what="The source cannot be shown" error={source.error} onRetry={() => void source.refetch()} />;
  }
  const text = source.data;
  const kind = text.trimStart().startsWith("{") ? "json" : "yaml";
  return (
    <div>
      <div className={`${style.bar} ${style.padded}`}>
        <a
          className={button.button}
          href={sourceUrl(id, versionId)}
          download={`${name.replace(/[^\w.-]+/g, "_")}.${kind}`}
        >
          <Icon name="download" />
          Download
        </a>
        <Copy what="it" words="Copy" text={text} />
        <span className="soft">As it was uploaded; of an archive, the pipeline in it.</span>
        {text.length > SHOWN && <span className="soft">The beginning is shown; the download is whole.</span>}
      </div>
      <pre className={style.source}>{inCode(text.slice(0, SHOWN))}</pre>
    </div>
  );
}
