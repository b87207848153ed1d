/** The graph of a pipeline's tasks, from its definition: what is drawn, before and while anything runs. */
import type { Json } from "../api/kfp";
import type { ComponentSpec, PipelineSpec, TaskSpec } from "../api/penstock";
import { conditionWords } from "./graphWords";

export type Form = "task" | "importer" | "pipeline" | "condition" | "branches" | "exit" | "loop";

/** A task or a group of tasks, as a graph shows it. */
export interface Item {
  /** As the tree of a run has it: `for-loop-1[3]/train`. */
  path: string;
  key: string;
  name: string;
  form: Form;
  component: string;
  /** Path of the group that it is in; empty for the pipeline. */
  parent: string;
  /** When it runs, in words, where that depends on a condition. */
  condition: string | undefined;
  /** Groups alone can be opened. */
  canOpen: boolean;
  isOpen: boolean;
  /** Of an open loop: which iteration is shown; undefined stands for each of them. */
  iteration: number | undefined;
  /** How many tasks it holds, at any depth; loops' bodies count once. */
  taskCount: number;
  /** What it holds, where it is open. */
  children: Item[];
  /** Which child is needed by which, by their places. */
  edges: [number, number][];
}

/** What is open. */
export interface Opening {
  /** Whether a group that is no loop is open. */
  isOpen: (path: string) => boolean;
  /** The iteration of a loop that is shown; `each` for its body, undefined where it is closed. */
  iterationOf: (path: string) => number | "each" | undefined;
}

const CLOSED = { children: [], edges: [] };

/** Definitions that hold themselves would never end. */
const DEEPEST = 40;

/** What the graph of a pipeline shows, as far as it is open. */
export function graphOf(
  spec: PipelineSpec,
  platform: Json | undefined,
  opening: Opening,
): Pick<Item, "children" | "edges"> {
  return new Reader(spec, platform, opening).dag(spec.root, "", 0);
}

class Reader {
  readonly #spec: PipelineSpec;
  readonly #opening: Opening;
  readonly #platform: Record<string, Json>;
  readonly #counts = new Map<string, number>();

  constructor(spec: PipelineSpec, platform: Json | undefined, opening: Opening) {
    this.#spec = spec;
    this.#opening = opening;
    this.#platform = executorsOf(platform);
  }

  dag(component: ComponentSpec | undefined, path: string, depth: number): Pick<Item, "children" | "edges"> {
    const tasks = Object.entries(component?.dag?.tasks ?? {});
    const places = new Map(tasks.map(([key], index) => [key, index]));
    const edges: [number, number][] = [];
    const children = tasks.map(([key, task], index) => {
      for (const producer of this.#producers(task)) {
        const from = places.get(producer);
        if (from !== undefined && from !== index) {
          edges.push([from, index]);
        }
      }
      return this.#item(key, task, path, depth);
    });
    return { children, edges };
  }

  #component(task: TaskSpec): ComponentSpec | undefined {
    return this.#spec.components?.[task.componentRef?.name ?? ""];
  }

  #item(key: string, task: TaskSpec, parent: string, depth: number): Item {
    const path = parent === "" ? key : `${parent}/${key}`;
    const component = this.#component(task);
    const form = this.#form(key, task, component);
    const condition = task.triggerPolicy?.condition;
    const canOpen = (component?.dag !== undefined || form === "loop") && depth < DEEPEST;
    const chosen = canOpen && form === "loop" ? this.#opening.iterationOf(path) : undefined;
    const isOpen = canOpen && (form === "loop" ? chosen !== undefined : this.#opening.isOpen(path));
    const within = form === "loop" ? `${path}[${chosen === "each" ? "*" : chosen}]` : path;
    const item: Item = {
      path,
      key,
      name: task.taskInfo?.name || key,
      form,
      component: task.componentRef?.name ?? "",
      parent,
      condition: condition === undefined || condition === "" ? undefined : conditionWords(condition),
      canOpen,
      isOpen,
      iteration: typeof chosen === "number" ? chosen : undefined,
      taskCount: this.#count(task.componentRef?.name ?? "", 0),
      ...CLOSED,
    };
    if (isOpen) {
      Object.assign(item, component?.dag ? this.dag(component, within, depth + 1) : this.#single(item, within));
    }
    return item;
  }

  /** What a loop over a component without tasks holds: each of its iterations is a task. */
  #single(loop: Item, path: string): Pick<Item, "children" | "edges"> {
    const form = this.#isImporter(this.#spec.components?.[loop.component]) ? "importer" : "task";
    const more = { isOpen: false, canOpen: false, condition: undefined, iteration: undefined };
    return { children: [{ ...loop, ...more, ...CLOSED, path, form, parent: loop.path }], edges: [] };
  }

  #isImporter(component: ComponentSpec | undefined): boolean {
    return this.#spec.deploymentSpec?.executors?.[component?.executorLabel ?? ""]?.importer !== undefined;
  }

  #form(key: string, task: TaskSpec, component: ComponentSpec | undefined): Form {
    if (task.parameterIterator !== undefined || task.artifactIterator !== undefined) {
      return "loop";
    }
    if (!component?.dag) {
      return this.#isImporter(component) ? "importer" : "task";
    }
    if (/^condition-branches-\d+$/.test(key)) {
      return "branches";
    }
    if (/^exit-handler-\d+$/.test(key)) {
      return "exit";
    }
    return task.triggerPolicy?.condition ? "condition" : "pipeline";
  }

  #count(name: string, depth: number): number {
    const known = this.#counts.get(name);
    if (known !== undefined) {
      return known;
    }
    const tasks = this.#spec.components?.[name]?.dag?.tasks;
    if (!tasks || depth > DEEPEST) {
      return 1;
    }
    // What holds itself counts once.
    this.#counts.set(name, 1);
    const names = Object.values(tasks).map((task) => task.componentRef?.name ?? "");
    const count = names.reduce((sum, it) => sum + this.#count(it, depth + 1), 0);
    this.#counts.set(name, count);
    return count;
  }

  /** The siblings that a task needs: those that it names, those whose outputs it takes, and those that its settings take. */
  #producers(task: TaskSpec): Set<string> {
    const found = new Set(task.dependentTasks ?? []);
    collectProducers(task.inputs, found);
    const label = this.#component(task)?.executorLabel;
    if (label !== undefined) {
      collectProducers(this.#platform[label], found);
    }
    return found;
  }
}

function executorsOf(platform: Json | undefined): Record<string, Json> {
  const into = (value: Json | undefined, key: string): Json | undefined =>
    value !== null && typeof value === "object" && !Array.isArray(value) ? value[key] : undefined;
  const executors = ["platforms", "kubernetes", "deploymentSpec", "executors"].reduce<Json | undefined>(into, platform);
  return executors !== null && typeof executors === "object" && !Array.isArray(executors) ? executors : {};
}

function collectProducers(value: Json | undefined, found: Set<string>): void {
  if (value === null || typeof value !== "object") {
    return;
  }
  for (const [name, inner] of Object.entries(value)) {
    if (name === "taskFinalStatus") {
      continue;
    }
    if (name === "producerTask" && typeof inner === "string") {
      found.add(inner);
    } else {
      collectProducers(inner as Json, found);
    }
  }
}

/** All items that are drawn, groups before what they hold. */
export function* drawn(children: readonly Item[]): Generator<Item> {
  for (const item of children) {
    yield item;
    yield* drawn(item.children);
  }
}
