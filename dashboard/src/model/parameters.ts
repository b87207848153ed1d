/** Values of a pipeline's parameters, as a form holds them: as text, until they are sent. */
import type { Json } from "../api/kfp";
import type { ParameterDefinition, PipelineSpec } from "../api/penstock";

/** Texts by parameter. A parameter without one is left to its default. */
export type Answers = Readonly<Record<string, string | undefined>>;

export interface Problem {
  parameter: string;
  reason: string;
}

/** The parameters that a pipeline takes, by name, those without a default first. */
export function definitions(spec: PipelineSpec | undefined): [string, ParameterDefinition][] {
  const all = Object.entries(spec?.root.inputDefinitions?.parameters ?? {});
  return all.sort(([, a], [, b]) => Number(isOptional(a)) - Number(isOptional(b)));
}

export function isOptional(definition: ParameterDefinition): boolean {
  return definition.isOptional === true || definition.defaultValue !== undefined;
}

const TYPES: Record<string, string> = {
  STRING: "text",
  BOOLEAN: "true or false",
  NUMBER_INTEGER: "whole number",
  NUMBER_DOUBLE: "number",
  LIST: "list, as JSON",
  STRUCT: "object, as JSON",
};

/** What a parameter is, for people. */
export function typeWords(definition: ParameterDefinition): string {
  return TYPES[definition.parameterType] ?? definition.parameterType;
}

/** How a value is written into its control. */
export function textOf(definition: ParameterDefinition, value: Json): string {
  if (definition.parameterType === "STRING" && typeof value === "string") {
    return value;
  }
  return isStructure(definition)
    ? JSON.stringify(value, null, 2)
    : typeof value === "string"
      ? value
      : JSON.stringify(value);
}

export function isStructure(definition: ParameterDefinition): boolean {
  return definition.parameterType === "LIST" || definition.parameterType === "STRUCT";
}

/** The value that a text stands for, or what is wrong with it. */
export function read(definition: ParameterDefinition, text: string): { value: Json } | { reason: string } {
  const found = readText(definition, text);
  if ("value" in found && definition.literals && !definition.literals.some((it) => sameJson(it, found.value))) {
    return { reason: `Choose one of ${definition.literals.map((it) => JSON.stringify(it)).join(", ")}` };
  }
  return found;
}

function readText(definition: ParameterDefinition, text: string): { value: Json } | { reason: string } {
  const word = text.trim();
  switch (definition.parameterType) {
    case "STRING":
      return { value: text };
    case "BOOLEAN":
      return word === "true" || word === "false" ? { value: word === "true" } : { reason: "Either true or false" };
    case "NUMBER_INTEGER":
      return readInteger(word);
    case "NUMBER_DOUBLE": {
      const number = Number(word);
      return word !== "" && Number.isFinite(number) ? { value: number } : { reason: "A number, such as 0.5 or 1e-3" };
    }
    default:
      return readJson(definition, word);
  }
}

function readInteger(word: string): { value: Json } | { reason: string } {
  if (!/^[+-]?\d+$/.test(word)) {
    return { reason: "A whole number" };
  }
  const number = Number(word);
  // Beyond that JSON's numbers are not what was typed.
  return Number.isSafeInteger(number) ? { value: number } : { reason: "Too large to be sent exactly" };
}

function readJson(definition: ParameterDefinition, word: string): { value: Json } | { reason: string } {
  let value: Json;
  try {
    value = JSON.parse(word) as Json;
  } catch (error) {
    return { reason: `Not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  if (definition.parameterType === "LIST" && !Array.isArray(value)) {
    return { reason: "A list, such as [1, 2]" };
  }
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (definition.parameterType === "STRUCT" && !isObject) {
    return { reason: 'An object, such as {"rate": 0.5}' };
  }
  return { value };
}

/** A text of JSON as it is usually laid out; undefined where it is none, or stands so already. */
export function formatted(definition: ParameterDefinition, text: string): string | undefined {
  const found = isStructure(definition) ? read(definition, text) : undefined;
  const laidOut = found && "value" in found ? textOf(definition, found.value) : undefined;
  return laidOut === text ? undefined : laidOut;
}

function sameJson(a: Json, b: Json): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** What is sent for some answers, and what is wrong with them. */
export function collect(
  parameters: readonly [string, ParameterDefinition][],
  answers: Answers,
): { values: Record<string, Json>; problems: Problem[] } {
  const values: Record<string, Json> = {};
  const problems: Problem[] = [];
  for (const [name, definition] of parameters) {
    const text = answers[name];
    if (text === undefined) {
      if (!isOptional(definition)) {
        problems.push({ parameter: name, reason: "A value is needed" });
      }
      continue;
    }
    const found = read(definition, text);
    if ("value" in found) {
      values[name] = found.value;
    } else {
      problems.push({ parameter: name, reason: found.reason });
    }
  }
  return { values, problems };
}

/** The answers that give these values, for what the pipeline still takes. */
export function answersOf(
  parameters: readonly [string, ParameterDefinition][],
  values: Record<string, Json> | undefined,
): Answers {
  return Object.fromEntries(
    parameters.flatMap(([name, definition]) => {
      const value = values?.[name];
      return value === undefined ? [] : [[name, textOf(definition, value)]];
    }),
  );
}

/** The pipeline within what the API has for a version or a run: alone, or beside what is for a platform. */
export function pipelineOf(stored: unknown): PipelineSpec | undefined {
  if (typeof stored !== "object" || stored === null) {
    return undefined;
  }
  const whole = stored as { pipeline_spec?: PipelineSpec } & Partial<PipelineSpec>;
  const spec = whole.pipeline_spec ?? whole;
  return spec.root && spec.pipelineInfo ? (spec as PipelineSpec) : undefined;
}
