import { Suspense, useState } from "react";
import { Link } from "react-router";
import type { Json } from "../../../api/kfp";
import type { Artifact, TaskDetail, TaskValues, TreeNode } from "../../../api/penstock";
import { part } from "../../../app/part";
import { to } from "../../../app/routes";
import { Button } from "../../../design/Button";
import { Copy } from "../../../design/Copy";
import { Empty, Loading } from "../../../design/Notice";
import { bytes } from "../../../model/bytes";
import { useRunView } from "../view";
import style from "./Panel.module.css";

const ArtifactPreview = part(async () => ({
  default: (await import("../../../preview/ArtifactPreview")).ArtifactPreview,
}));

const TYPES: Record<string, string> = {
  STRING: "string",
  NUMBER_INTEGER: "integer",
  NUMBER_DOUBLE: "number",
  BOOLEAN: "boolean",
  LIST: "list",
  STRUCT: "struct",
};

/** What a task took and gave. */
export function Values({ detail }: { detail: TaskDetail | undefined }) {
  if (!detail) {
    return <Loading what="Loading inputs and outputs" />;
  }
  const sides: { name: "input" | "output"; word: string; values: TaskValues | undefined }[] = [
    { name: "input", word: "Input", values: detail.inputs },
    { name: "output", word: "Output", values: detail.outputs },
  ];
  const all = sides.flatMap(({ values }) => [values?.parameters ?? {}, values?.artifacts ?? {}]);
  if (all.every((it) => Object.keys(it).length === 0)) {
    return (
      <Empty title="There are none">
        <p>It takes and gives nothing, or has not come so far.</p>
      </Empty>
    );
  }
  return sides.map(({ name, word, values }) => (
    <div key={name} className={style.stack}>
      <ParameterList title={`${word} parameters`} values={values?.parameters} direction={name} node={detail} />
      <ArtifactList title={`${word} artifacts`} artifacts={values?.artifacts} />
    </div>
  ));
}

export function ParameterList({
  title,
  values,
  direction,
  node,
}: {
  title: string;
  values: Record<string, Json> | undefined;
  direction: "input" | "output";
  node: TreeNode;
}) {
  const { spec } = useRunView();
  const component = spec?.pipeline_spec.components?.[node.component];
  const definitions = (direction === "input" ? component?.inputDefinitions : component?.outputDefinitions)?.parameters;
  const entries = Object.entries(values ?? {});
  if (entries.length === 0) {
    return null;
  }
  return (
    <section className={style.section}>
      <h3>{title}</h3>
      <dl className={style.values}>
        {entries.map(([name, value]) => {
          const type = definitions?.[name]?.parameterType;
          return (
            <div key={name} className={style.value}>
              <dt>
                <span>{name}</span>
                {type && <span className="soft small">{TYPES[type] ?? type}</span>}
              </dt>
              <dd>
                <Value value={value} />
                <Copy what={name} text={typeof value === "string" ? value : JSON.stringify(value)} />
              </dd>
            </div>
          );
        })}
      </dl>
    </section>
  );
}

const SHORT = 600;

function Value({ value }: { value: Json }) {
  const [isWhole, setWhole] = useState(false);
  const text =
    typeof value === "string" ? value : JSON.stringify(value, null, typeof value === "object" ? 2 : undefined);
  if (text === "") {
    return <span className="soft">empty</span>;
  }
  return (
    <div className={style.valueText}>
      <pre tabIndex={isWhole || text.includes("\n") ? 0 : undefined}>
        {isWhole || text.length <= SHORT ? text : `${text.slice(0, SHORT)}…`}
      </pre>
      {text.length > SHORT && (
        <Button kind="quiet" onClick={() => setWhole(!isWhole)}>
          {isWhole ? "Show less" : `Show all ${text.length.toLocaleString("en")} characters`}
        </Button>
      )}
    </div>
  );
}

/** Artifacts that say what they hold without being asked. */
const OPEN = /^system\.(Metrics|ClassificationMetrics|SlicedClassificationMetrics|HTML|Markdown)$/;
const MANY = 50;

export function ArtifactList({
  title,
  artifacts,
  isOpen = false,
}: {
  title: string;
  artifacts: Record<string, Artifact[]> | undefined;
  /** Shows what those hold that are made to be looked at. */
  isOpen?: boolean;
}) {
  const entries = Object.entries(artifacts ?? {}).filter(([, list]) => list.length > 0);
  if (entries.length === 0) {
    return null;
  }
  return (
    <section className={style.section}>
      <h3>{title}</h3>
      <div className={style.stack}>
        {entries.map(([name, list]) => (
          <div key={name} className={style.stack}>
            {list.slice(0, MANY).map((artifact, place) => (
              <One
                key={artifact.artifact_id}
                name={list.length > 1 ? `${name} ${place + 1}` : name}
                artifact={artifact}
                isOpen={isOpen && list.length === 1 && OPEN.test(artifact.type)}
              />
            ))}
            {list.length > MANY && <p className="soft">and {(list.length - MANY).toLocaleString("en")} more</p>}
          </div>
        ))}
      </div>
    </section>
  );
}

function One({ name, artifact, isOpen }: { name: string; artifact: Artifact; isOpen: boolean }) {
  const [isShown, setShown] = useState(isOpen);
  return (
    <div className={style.card}>
      <div className={style.cardHead}>
        <button type="button" className={style.disclose} aria-expanded={isShown} onClick={() => setShown(!isShown)}>
          <span className={style.twist} data-open={isShown || undefined} aria-hidden="true">
            ›
          </span>
          <span className="ellipsis">{name}</span>
        </button>
        <span className="soft small">{artifact.type.replace(/^system\./, "")}</span>
        {artifact.size !== undefined && <span className="soft small number">{bytes(Number(artifact.size))}</span>}
        <span className={style.end}>
          <Link to={to.artifact(artifact.artifact_id)}>Open</Link>
        </span>
        <Copy what="the URI" text={artifact.uri} />
      </div>
      {isShown && (
        <Suspense fallback={<Loading what="Loading the preview" />}>
          <ArtifactPreview artifact={artifact} />
        </Suspense>
      )}
    </div>
  );
}
