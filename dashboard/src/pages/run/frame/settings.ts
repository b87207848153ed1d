/** How a run is carried out, in words. */
import type { Json, Run } from "../../../api/kfp";
import type { RunRecord } from "../../../api/penstock";
import { local, wholeSeconds } from "../../../model/time";

type Info = RunRecord["run"]["info"];
type Options = Record<string, Json>;

const BACKENDS: Record<string, string> = {
  process: "processes of the server's machine",
  kubernetes: "Pods of Kubernetes",
};

/** What is told in words of its own, or means nothing to whoever reads it. */
const KNOWN = new Set(["backend", "hostCommands", "componentDir", "serviceAccount", "cache", "retention", "dataDir"]);

/** What was settled when a run was created. What a later version settles is told as it is called. */
export function settingsOf(run: Run, record: RunRecord["run"] | undefined): Record<string, Json> {
  const options = record?.options ?? {};
  const info = record?.info;
  return {
    "Run id": run.run_id,
    Created: local(Date.parse(run.created_at)),
    ...(info && {
      Name: info.name,
      "Pipeline root": info.pipelineRoot,
      "Results from the cache": cacheWords(info, options),
    }),
    ...(info?.workspace && { Workspace: info.workspace }),
    ...(run.description && { Description: run.description }),
    ...carriedOut(run, options),
    ...Object.fromEntries(Object.entries(options).filter(([name, value]) => !KNOWN.has(name) && !isEmpty(value))),
  };
}

function carriedOut(run: Run, options: Options): Record<string, Json> {
  const { backend, hostCommands, componentDir } = options;
  // Where tasks are processes, nothing is done under an account and nothing stays in a cluster.
  const isLocal = backend === "process";
  const kept = isLocal ? "" : retentionWords(options.retention);
  return {
    ...(typeof backend === "string" && { "Tasks run as": BACKENDS[backend] ?? backend }),
    ...(isLocal && hostCommands === true && { "Commands of images": "run on the server's machine, without the image" }),
    ...(componentDir && { "Files of components": componentDir }),
    ...(!isLocal && run.service_account && { "Service account": run.service_account }),
    ...(kept !== "" && { "Pods and workspace are kept": kept }),
  };
}

const WHO: Record<string, string> = {
  DEPLOYMENT: "this installation takes none",
  PIPELINE: "a tag of the pipeline says so",
  RUN: "asked for when the run was created",
};

function cacheWords(info: Info, options: Options): string {
  const { off, maxAgeSeconds } = fieldsOf(options.cache);
  if (typeof off === "string" || !info.caching) {
    const who = WHO[String(off)];
    return who ? `not taken: ${who}` : "not taken";
  }
  return typeof maxAgeSeconds === "number"
    ? `taken where there are any that are not older than ${wholeSeconds(maxAgeSeconds * 1000)}`
    : "taken where there are any";
}

const WHEN: readonly [string, string][] = [
  ["afterSuccess", "after success"],
  ["afterFailure", "after a failure"],
  ["afterCompletion", "after the end"],
];

function retentionWords(retention: Json | undefined): string {
  const times = fieldsOf(retention);
  return WHEN.flatMap(([name, when]) => {
    const seconds = times[name];
    return typeof seconds === "number" ? [`${wholeSeconds(seconds * 1000)} ${when}`] : [];
  }).join(", ");
}

const fieldsOf = (value: Json | undefined): Options =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};

const isEmpty = (value: Json) => value === null || (typeof value === "object" && Object.keys(value).length === 0);
