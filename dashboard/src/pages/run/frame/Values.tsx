import { Link } from "react-router";
import type { Json } from "../../../api/kfp";
import type { Artifact } from "../../../api/penstock";
import { to } from "../../../app/routes";
import style from "./frame.module.css";

const text = (value: Json) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

/** Values by their names. */
export function Values({ values, none }: { values: Record<string, Json>; none: string }) {
  const entries = Object.entries(values);
  if (entries.length === 0) {
    return none === "" ? null : <p className="soft">{none}</p>;
  }
  return (
    <dl className="definitions">
      {entries.map(([name, value]) => (
        <div key={name} style={{ display: "contents" }}>
          <dt>{name}</dt>
          <dd className={`mono ${style.value}`}>{text(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Artifacts by the names of outputs. */
export function Artifacts({ artifacts }: { artifacts: Record<string, Artifact[]> }) {
  return (
    <dl className="definitions">
      {Object.entries(artifacts).map(([name, list]) => (
        <div key={name} style={{ display: "contents" }}>
          <dt>{name}</dt>
          <dd>
            {list.map((artifact) => (
              <div key={artifact.artifact_id}>
                <Link to={to.artifact(artifact.artifact_id)}>{artifact.name}</Link>{" "}
                <span className="soft small">{artifact.type.replace(/^system\./, "")}</span>
              </div>
            ))}
          </dd>
        </div>
      ))}
    </dl>
  );
}
