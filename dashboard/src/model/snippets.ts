/** A run as others would start it: from Python, and from a shell. */
import type { Json } from "../api/kfp";
import { inCode } from "./bidi";

export interface Described {
  host: string;
  name: string;
  experimentId?: string | undefined;
  pipelineId?: string | undefined;
  versionId?: string | undefined;
  parameters: Record<string, Json>;
  /** Undefined where it is left to the pipeline. */
  caching?: boolean | undefined;
}

/** A value as Python writes it. */
export function python(value: Json, indent = 0): string {
  if (value === null) {
    return "None";
  }
  if (typeof value === "boolean") {
    return value ? "True" : "False";
  }
  if (typeof value !== "object") {
    return JSON.stringify(value);
  }
  const isList = Array.isArray(value);
  const parts = isList
    ? value.map((each) => python(each, indent + 4))
    : Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${python(each, indent + 4)}`);
  const [open, close] = isList ? "[]" : "{}";
  const flat = `${open}${parts.join(", ")}${close}`;
  if (flat.length <= 80) {
    return flat;
  }
  const pad = " ".repeat(indent + 4);
  return `${open}\n${parts.map((part) => `${pad}${part},\n`).join("")}${" ".repeat(indent)}${close}`;
}

export function asPython(run: Described): string {
  const lines = [
    "from kfp import Client",
    "",
    `client = Client(host=${JSON.stringify(run.host)})`,
    "client.run_pipeline(",
    `    experiment_id=${run.experimentId ? JSON.stringify(run.experimentId) : 'client.get_experiment(experiment_name="Default").experiment_id'},`,
    `    job_name=${JSON.stringify(run.name)},`,
  ];
  if (run.pipelineId) {
    lines.push(`    pipeline_id=${JSON.stringify(run.pipelineId)},`);
    if (run.versionId) {
      lines.push(`    version_id=${JSON.stringify(run.versionId)},`);
    }
  } else {
    lines.push('    pipeline_package_path="pipeline.yaml",');
  }
  if (Object.keys(run.parameters).length > 0) {
    lines.push(`    params=${python(run.parameters, 4)},`);
  }
  if (run.caching !== undefined) {
    lines.push(`    enable_caching=${run.caching ? "True" : "False"},`);
  }
  return inCode([...lines, ")"].join("\n"));
}

/** A word as a shell takes it literally. */
export function quoted(word: string): string {
  return /^[\w./:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** By any program that speaks HTTP: the request itself. */
export function asCurl(host: string, body: Json): string {
  const address = `${host}/apis/v2beta1/runs`;
  return `curl -sS ${quoted(address)} \\\n  -H 'content-type: application/json' \\\n  -d ${quoted(inCode(JSON.stringify(body, null, 2)))}`;
}
