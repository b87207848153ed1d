import { Link } from "react-router";
import type { PipelineVersion } from "../../api/kfp";
import type { PipelineSpec } from "../../api/penstock";
import { to } from "../../app/routes";
import { Button } from "../../design/Button";
import { Moment } from "../../design/Moment";
import { definitions, isOptional, textOf, typeWords } from "../../model/parameters";
import style from "./Pipelines.module.css";

/** What a version takes, what it is, and which others there are. */
export function Summary({
  spec,
  version,
  versions,
  hasMore,
  onMore,
  onDelete,
}: {
  spec: PipelineSpec;
  version: PipelineVersion;
  versions: readonly PipelineVersion[];
  hasMore: boolean;
  onMore: () => void;
  onDelete: () => void;
}) {
  return (
    <>
      <dl className={`definitions ${style.padded}`}>
        <dt>Name in the code</dt>
        <dd className="mono">{spec.pipelineInfo.name}</dd>
        {spec.pipelineInfo.description && (
          <>
            <dt>Description</dt>
            <dd>{spec.pipelineInfo.description}</dd>
          </>
        )}
        <dt>Compiled by</dt>
        <dd>{spec.sdkVersion ?? "not said"}</dd>
        <dt>Id</dt>
        <dd className="mono">{version.pipeline_version_id}</dd>
        {version.code_source_url && (
          <>
            <dt>Code</dt>
            <dd>{version.code_source_url}</dd>
          </>
        )}
      </dl>
      <Parameters spec={spec} />
      <h2 className={style.padded}>Versions</h2>
      <ul>
        {versions.map((it) => (
          <li key={it.pipeline_version_id} className={style.row}>
            <Link
              to={to.version(it.pipeline_id, it.pipeline_version_id)}
              aria-current={it.pipeline_version_id === version.pipeline_version_id ? "true" : undefined}
            >
              {it.display_name}
            </Link>
            <Moment at={it.created_at} />
            <Link to={to.newRun({ pipelineId: it.pipeline_id, pipelineVersionId: it.pipeline_version_id })}>Run</Link>
          </li>
        ))}
      </ul>
      <p className={style.padded}>
        {hasMore && <Button onClick={onMore}>Older versions</Button>}{" "}
        <Button icon="trash" kind="danger" onClick={onDelete}>
          Delete this version
        </Button>
      </p>
    </>
  );
}

function Parameters({ spec }: { spec: PipelineSpec }) {
  const parameters = definitions(spec);
  if (parameters.length === 0) {
    return <p className={`soft ${style.padded}`}>It takes no parameters.</p>;
  }
  return (
    <table className="list" aria-label="Parameters">
      <thead>
        <tr>
          <th scope="col">Parameter</th>
          <th scope="col">Type</th>
          <th scope="col">Default</th>
          <th scope="col">Description</th>
        </tr>
      </thead>
      <tbody>
        {parameters.map(([name, definition]) => (
          <tr key={name}>
            <td className="mono">{name}</td>
            <td>{typeWords(definition)}</td>
            <td className="mono">
              {definition.defaultValue === undefined ? (
                <span className="soft">{isOptional(definition) ? "left out" : "needed"}</span>
              ) : (
                textOf(definition, definition.defaultValue).slice(0, 300)
              )}
            </td>
            <td>{definition.description}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
