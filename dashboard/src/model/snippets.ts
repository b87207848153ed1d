/** A run as others would start it: from Python, from a shell, and by HTTP. Each says all that it can, and what it cannot. */
import type { Json } from "../api/kfp";
import { inCode } from "./bidi";

/** Where its pipeline comes from: a version, or an earlier run that brought its own. */
export type PipelineSource = { pipelineId: string; versionId: string } | { runId: string };

export interface Described {
  host: string;
  /** Where the server has many. */
  namespace?: string | undefined;
  name: string;
  description?: string | undefined;
  experimentId?: string | undefined;
  source: PipelineSource;
  parameters: Record<string, Json>;
  pipelineRoot?: string | undefined;
  serviceAccount?: string | undefined;
  /** Undefined where it is left to the pipeline. */
  caching?: boolean | undefined;
}

/** A text in one line between quotes, as JSON and Python have it. */
function text(value: string): string {
  return inCode(JSON.stringify(value));
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
    return typeof value === "string" ? text(value) : JSON.stringify(value);
  }
  const isList = Array.isArray(value);
  const parts = isList
    ? value.map((each) => python(each, indent + 4))
    : Object.entries(value).map(([key, each]) => `${text(key)}: ${python(each, indent + 4)}`);
  const [open, close] = isList ? "[]" : "{}";
  const flat = `${open}${parts.join(", ")}${close}`;
  if (flat.length <= 80) {
    return flat;
  }
  const pad = " ".repeat(indent + 4);
  return `${open}\n${parts.map((part) => `${pad}${part},\n`).join("")}${" ".repeat(indent)}${close}`;
}

/** With the SDK. Its run_pipeline knows a version, but neither a description nor, for a version, the cache. */
export function asPython(run: Described): string {
  const isPlain = "versionId" in run.source && !run.description && run.caching === undefined;
  const client = [`host=${text(run.host)}`, ...(run.namespace ? [`namespace=${text(run.namespace)}`] : [])];
  return [
    ...(isPlain ? [] : ["import kfp_server_api as api"]),
    "from kfp import Client",
    "",
    ...(run.namespace ? ["# existing_token=... where the server asks who you are."] : []),
    `client = Client(${client.join(", ")})`,
    ...(isPlain ? plainCall(run) : wholeRequest(run)),
  ].join("\n");
}

function experimentOf({ experimentId, namespace }: Described): string {
  if (experimentId) {
    return text(experimentId);
  }
  const place = namespace ? `, namespace=${text(namespace)}` : "";
  return `client.get_experiment(experiment_name="Default"${place}).experiment_id`;
}

function plainCall(run: Described): string[] {
  const source = run.source as { pipelineId: string; versionId: string };
  return [
    "client.run_pipeline(",
    `    experiment_id=${experimentOf(run)},`,
    `    job_name=${text(run.name)},`,
    `    pipeline_id=${text(source.pipelineId)},`,
    `    version_id=${text(source.versionId)},`,
    ...(Object.keys(run.parameters).length > 0 ? [`    params=${python(run.parameters, 4)},`] : []),
    ...(run.pipelineRoot ? [`    pipeline_root=${text(run.pipelineRoot)},`] : []),
    ...(run.serviceAccount ? [`    service_account=${text(run.serviceAccount)},`] : []),
    ")",
  ];
}

function wholeRequest(run: Described): string[] {
  const { source, caching } = run;
  const pipeline =
    "runId" in source
      ? [`        pipeline_spec=client.get_run(${text(source.runId)}).pipeline_spec,`]
      : [
          "        pipeline_version_reference=api.V2beta1PipelineVersionReference(",
          `            pipeline_id=${text(source.pipelineId)},`,
          `            pipeline_version_id=${text(source.versionId)},`,
          "        ),",
        ];
  return [
    "# The request itself: Client.run_pipeline takes no description, and minds enable_caching for files alone.",
    "run = client.runs.run_service_create_run(",
    "    run=api.V2beta1Run(",
    `        display_name=${text(run.name)},`,
    ...(run.description ? [`        description=${text(run.description)},`] : []),
    `        experiment_id=${experimentOf(run)},`,
    ...pipeline,
    "        runtime_config=api.V2beta1RuntimeConfig(",
    `            parameters=${python(run.parameters, 12)},`,
    ...(run.pipelineRoot ? [`            pipeline_root=${text(run.pipelineRoot)},`] : []),
    "        ),",
    ...(run.serviceAccount ? [`        service_account=${text(run.serviceAccount)},`] : []),
    ...(caching === undefined
      ? []
      : [`        plugins_input={"penstock": {"enable_caching": ${caching ? "True" : "False"}}},`]),
    "    )",
    ")",
    "print(run.run_id)",
  ];
}

/** A word as a shell takes it literally. */
export function quoted(word: string): string {
  return /^[\w./:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** By `penstock run`, which sends a pipeline: that of the server is fetched for it. */
export function asCommand(run: Described): string {
  const { source } = run;
  if (run.namespace) {
    return [
      "# Where a server has many namespaces, a run names its experiment,",
      "# and penstock run has no flag for that: use Python or HTTP.",
    ].join("\n");
  }
  const [path, print] =
    "runId" in source
      ? [`apis/v2beta1/runs/${source.runId}`, 'json.dumps(json.load(sys.stdin)["pipeline_spec"])']
      : [`apis/v1beta1/pipeline_versions/${source.versionId}/templates`, 'json.load(sys.stdin)["template"]'];
  const isUri = run.pipelineRoot?.includes("://");
  const flags = [
    `--name=${quoted(run.name)}`,
    ...Object.entries(run.parameters).map(
      ([name, value]) => `--param=${quoted(`${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)}`,
    ),
    ...(run.pipelineRoot && isUri ? [`--root=${quoted(run.pipelineRoot)}`] : []),
    ...(run.serviceAccount ? [`--service-account=${quoted(run.serviceAccount)}`] : []),
    ...(run.caching === false ? ["--no-cache"] : []),
    "/dev/stdin",
  ];
  return [
    ...unsaid(run).map((line) => `# ${line}`),
    `curl -fsS ${quoted(`${run.host}/${path}`)} |`,
    `  python3 -c ${quoted(`import json, sys; print(${print})`)} |`,
    `  penstock run --server=${quoted(run.host)} \\`,
    flags.map((flag) => `    ${flag}`).join(" \\\n"),
  ].join("\n");
}

/** What `penstock run` has no flag for. */
function unsaid(run: Described): string[] {
  return [
    ...("versionId" in run.source ? ["The run has the pipeline of the version, but is not listed as one of it."] : []),
    ...(run.experimentId ? [`No flag says the experiment (${text(run.experimentId)}): it is the default one.`] : []),
    ...(run.description ? [`No flag says the description: ${text(run.description)}`] : []),
    ...(run.caching ? ["No flag has results taken from the cache where the pipeline says otherwise."] : []),
    ...(run.pipelineRoot && !run.pipelineRoot.includes("://")
      ? [`--root at a server takes a URI, and ${text(run.pipelineRoot)} is none.`]
      : []),
  ];
}

/** By any program that speaks HTTP: the request itself, with a token where the server asks who it is of. */
export function asCurl(host: string, body: Json, isAsked: boolean): string {
  return [
    `curl -sS ${quoted(`${host}/apis/v2beta1/runs`)} \\`,
    ...(isAsked ? ['  -H "Authorization: Bearer $PENSTOCK_TOKEN" \\'] : []),
    "  -H 'content-type: application/json' \\",
    `  -d ${quoted(inCode(JSON.stringify(body, null, 2)))}`,
  ].join("\n");
}
