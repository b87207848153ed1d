/** What a pipeline's definition says of one of its tasks, before any run. */
import type { Json } from "../api/kfp";
import type { ComponentSpec, Executor, PipelineSpec, TaskSpec } from "../api/penstock";
import type { Item } from "./graph";
import { conditionWords } from "./graphWords";
import { typeWords } from "./parameters";

/** Where a value comes from, in words; with the task that gives it, where there is one. */
export interface Origin {
  words: string;
  path?: string;
}

export interface Planned {
  name: string;
  component: string;
  image: string | undefined;
  /** Command and arguments. */
  command: readonly string[];
  /** What an importer imports: a URI, or the input that names it. */
  imported: string | undefined;
  inputs: readonly { name: string; type: string; origin: Origin }[];
  outputs: readonly { name: string; type: string }[];
  /** When it runs: what has to hold, the outermost first. */
  conditions: readonly string[];
  /** Tasks that it waits for although it takes nothing from them. */
  after: readonly Origin[];
  /** Whether it runs also where what it waits for failed. */
  isAlways: boolean;
  /** Whether it may take its results from the cache; undefined where it runs nothing. */
  isCached: boolean | undefined;
  retries: string | undefined;
}

interface Step {
  path: string;
  task: TaskSpec;
  component: ComponentSpec | undefined;
}

/** What there is to say of the task of a path; undefined where the pipeline has none. */
export function plannedTask(spec: PipelineSpec, path: string): Planned | undefined {
  const steps = stepsOf(spec, path);
  const last = steps?.at(-1);
  if (!steps || !last) {
    return undefined;
  }
  const { task, component } = last;
  const executor = executorOf(spec, component);
  const own = parentOf(last.path);
  const taken = new Set(producersOf(task.inputs));
  return {
    name: task.taskInfo?.name || keyOf(last.path),
    component: task.componentRef?.name ?? "",
    image: executor?.container?.image,
    command: [...(executor?.container?.command ?? []), ...(executor?.container?.args ?? [])].map(String),
    imported: importedOf(executor),
    inputs: inputsOf(spec, steps),
    outputs: outputsOf(component),
    conditions: steps.flatMap(({ task }) => task.triggerPolicy?.condition || []).map(conditionWords),
    after: (task.dependentTasks ?? []).filter((key) => !taken.has(key)).map((key) => ({ words: key, path: own + key })),
    isAlways: task.triggerPolicy?.strategy === "ALL_UPSTREAM_TASKS_COMPLETED",
    isCached: executor?.container ? task.cachingOptions?.enableCache === true : undefined,
    retries: retriesOf(task),
  };
}

/** What tells the box of a task from others beside its name: the component, else the image. */
export function noteOf(
  spec: PipelineSpec,
  item: Pick<Item, "component" | "name" | "key" | "form">,
): string | undefined {
  if (item.form !== "task") {
    return undefined;
  }
  const name = item.component.replace(/^comp-/, "");
  return name !== item.name && name !== item.key && name !== ""
    ? name
    : executorOf(spec, spec.components?.[item.component])?.container?.image;
}

function executorOf(spec: PipelineSpec, component: ComponentSpec | undefined): Executor | undefined {
  return spec.deploymentSpec?.executors?.[component?.executorLabel ?? ""];
}

const keyOf = (path: string) => path.slice(path.lastIndexOf("/") + 1).replace(/\[[^\]]*\]$/, "");
/** What the paths of its siblings begin with. */
const parentOf = (path: string) => path.slice(0, path.lastIndexOf("/") + 1);

/** The groups around a task, outermost first, and the task. */
function stepsOf(spec: PipelineSpec, path: string): Step[] | undefined {
  const steps: Step[] = [];
  let around: ComponentSpec | undefined = spec.root;
  let at = "";
  for (const part of path.split("/")) {
    at += at === "" ? part : `/${part}`;
    const tasks: Record<string, TaskSpec> = around?.dag?.tasks ?? {};
    const task = Object.hasOwn(tasks, keyOf(at)) ? tasks[keyOf(at)] : undefined;
    if (!task) {
      return undefined;
    }
    around = spec.components?.[task.componentRef?.name ?? ""];
    steps.push({ path: at, task, component: around });
  }
  return steps;
}

type Binding = Record<string, Json | undefined>;
const isObject = (value: Json | undefined): value is Record<string, Json> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const partOf = (value: Json | undefined, key: string) =>
  isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
const textOf = (value: Json | undefined) => (typeof value === "string" ? value : "");

type Kind = "parameters" | "artifacts";

function inputsOf(spec: PipelineSpec, steps: readonly Step[]): Planned["inputs"] {
  const last = steps.at(-1);
  return (["parameters", "artifacts"] as const).flatMap((kind) => {
    const bound = partOf(last?.task.inputs, kind);
    const defined = last?.component?.inputDefinitions?.[kind] ?? {};
    const names = [...new Set([...Object.keys(defined), ...Object.keys(isObject(bound) ? bound : {})])];
    return names.map((name) => ({
      name,
      type: typeOf(defined[name]),
      origin: originOf(spec, steps, steps.length - 1, kind, name),
    }));
  });
}

function outputsOf(component: ComponentSpec | undefined): Planned["outputs"] {
  return (["parameters", "artifacts"] as const).flatMap((kind) =>
    Object.entries(component?.outputDefinitions?.[kind] ?? {}).map(([name, it]) => ({ name, type: typeOf(it) })),
  );
}

type Definition = { parameterType?: string; artifactType?: { schemaTitle?: string }; defaultValue?: Json };

function typeOf(definition: Definition | undefined): string {
  if (definition?.parameterType === "TASK_FINAL_STATUS") {
    return "final status";
  }
  return definition?.parameterType
    ? typeWords({ parameterType: definition.parameterType })
    : (definition?.artifactType?.schemaTitle?.replace(/^system\./, "") ?? "");
}

const LONGEST = 300;
const brief = (text: string) => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);

/** A name without what the compiler puts before those that it makes. */
export const shownName = (name: string) => name.replace(/^pipelinechannel--/, "");

/** Where the task of a step gets an input, through the groups around it. */
function originOf(spec: PipelineSpec, steps: readonly Step[], at: number, kind: Kind, name: string): Origin {
  const step = steps[at];
  if (!step) {
    return { words: `the pipeline's input ${name}` };
  }
  const iterator = kind === "parameters" ? step.task.parameterIterator : step.task.artifactIterator;
  if (partOf(iterator, "itemInput") === name) {
    return itemOf(spec, steps, at, kind, iterator);
  }
  const bound = partOf(partOf(step.task.inputs, kind), name);
  if (!isObject(bound)) {
    const { defaultValue } = (step.component?.inputDefinitions?.[kind]?.[name] ?? {}) as Definition;
    return { words: defaultValue === undefined ? "left out" : `its default ${brief(JSON.stringify(defaultValue))}` };
  }
  const found = boundOrigin(spec, steps, at, kind, bound);
  const member = textOf(bound.parameterExpressionSelector).replace(/^parseJson\(string_value\)/, "");
  return member === "" ? found : { ...found, words: `${member} of ${found.words}` };
}

function boundOrigin(spec: PipelineSpec, steps: readonly Step[], at: number, kind: Kind, bound: Binding): Origin {
  const siblings = parentOf(steps[at]?.path ?? "");
  const output = bound.taskOutputParameter ?? bound.taskOutputArtifact;
  if (output !== undefined) {
    const producer = textOf(partOf(output, "producerTask"));
    const key = partOf(output, "outputParameterKey") ?? partOf(output, "outputArtifactKey");
    return { words: `${producer} · ${shownName(textOf(key))}`, path: siblings + producer };
  }
  const input = bound.componentInputParameter ?? bound.componentInputArtifact;
  if (input !== undefined) {
    return originOf(spec, steps, at - 1, kind, textOf(input));
  }
  const ended = textOf(partOf(bound.taskFinalStatus, "producerTask"));
  if (ended !== "") {
    return { words: `how ${ended} ended`, path: siblings + ended };
  }
  const constant = partOf(bound.runtimeValue, "constant");
  return { words: constant === undefined ? "not said" : `always ${brief(JSON.stringify(constant))}` };
}

/** An item of a loop, and where the loop gets its items. */
function itemOf(
  spec: PipelineSpec,
  steps: readonly Step[],
  at: number,
  kind: Kind,
  iterator: Json | undefined,
): Origin {
  const items = partOf(iterator, "items");
  const raw = partOf(items, "raw");
  if (raw !== undefined) {
    return { words: `each of ${brief(textOf(raw))}` };
  }
  const name = textOf(partOf(items, "inputParameter") ?? partOf(items, "inputArtifact"));
  const isItself = partOf(iterator, "itemInput") === name;
  const origin = isItself ? { words: name } : originOf(spec, steps, at, kind, name);
  return { ...origin, words: `each of ${origin.words}` };
}

function* producersOf(value: Json | undefined): Generator<string> {
  if (typeof value === "object" && value !== null) {
    for (const [name, inner] of Object.entries(value)) {
      if (name === "producerTask" && typeof inner === "string") {
        yield inner;
      } else {
        yield* producersOf(inner as Json);
      }
    }
  }
}

function importedOf(executor: Executor | undefined): string | undefined {
  const uri = partOf(executor?.importer, "artifactUri");
  const constant = partOf(uri, "constant");
  const input = partOf(uri, "runtimeParameter") ?? partOf(uri, "runtimeValue");
  return constant !== undefined
    ? textOf(constant)
    : input !== undefined
      ? `as the input ${textOf(input)} says`
      : undefined;
}

/** `up to 3 times, the first after 30s, then 2 times as long each time, 3600s at most`. */
function retriesOf({ retryPolicy }: TaskSpec): string | undefined {
  const count = Number(retryPolicy?.maxRetryCount ?? 0);
  if (!retryPolicy || count <= 0) {
    return undefined;
  }
  const { backoffDuration = "0s", backoffFactor = 1, backoffMaxDuration } = retryPolicy;
  const waits = Number.parseFloat(backoffDuration) > 0;
  return [
    count === 1 ? "once" : `up to ${count} times`,
    waits && `the first after ${backoffDuration}`,
    waits && backoffFactor > 1 && `then ${backoffFactor} times as long each time`,
    waits && backoffMaxDuration && `${backoffMaxDuration} at most`,
  ]
    .filter(Boolean)
    .join(", ");
}
