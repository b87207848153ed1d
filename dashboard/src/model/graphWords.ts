/** Words for what a graph shows. */
import type { Form, Item } from "./graph";

/** A condition as compiled pipelines have it, without the ceremony: `coin-Output == 'heads'`. */
export function conditionWords(condition: string): string {
  return condition
    .replace(/\s+/g, " ")
    .replace(/inputs\.parameter_values\[\s*(['"])(.*?)\1\s*\]/g, (_, _quote, name: string) => inputName(name))
    .replace(/\b(?:int|double)\(\s*([^()]*?)\s*\)/g, "$1")
    .trim();
}

/** An input that the compiler made to carry an output: the task and its output. */
function inputName(name: string): string {
  return name.replace(/^pipelinechannel--/, "").replace(/-loop-item(-subvar)?(-\w+)?$/, " item$2");
}

export const FORM_WORDS: Record<Form, string> = {
  task: "Task",
  importer: "Import",
  pipeline: "Pipeline",
  condition: "If",
  branches: "Branches",
  exit: "Exit handler",
  loop: "Loop",
};

/** The path of a loop and the index of an iteration of it, of a path that ends with one: `a/for-loop-1[3]`. */
export function iterationOfPath(path: string): { loop: string; index: number | "each" } | undefined {
  const found = /^(.+)\[(\d+|\*)\]$/.exec(path);
  return found ? { loop: found[1] as string, index: found[2] === "*" ? "each" : Number(found[2]) } : undefined;
}

/** The groups around what has a path, outermost first, and the iterations that it is in. */
export function aroundPath(path: string): { groups: string[]; iterations: string[] } {
  const groups: string[] = [];
  const iterations: string[] = [];
  const parts = path.split("/");
  let at = "";
  parts.forEach((part, index) => {
    at = at === "" ? part : `${at}/${part}`;
    const iteration = iterationOfPath(at);
    if (iteration) {
      groups.push(iteration.loop);
      iterations.push(at);
    } else if (index < parts.length - 1) {
      groups.push(at);
    }
  });
  return { groups, iterations };
}

/** What a box is headed by: the condition of a group that the compiler named by a number, the name of all else. */
export function titleOf(item: Pick<Item, "name" | "condition">): string {
  return item.condition !== undefined && /^condition-\d+$/.test(item.name) ? item.condition : item.name;
}
