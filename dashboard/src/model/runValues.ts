/** Parameters, metrics and tags of runs: as conditions of a list and as its columns, and how both stand in the address. */
import type { Predicate } from "../api/filter";
import type { Json, Run, RunValues } from "../api/kfp";

export type ValueKind = "parameters" | "metrics";

/** What a column shows, and what a list can be sorted by. */
export interface ValueName {
  kind: ValueKind;
  name: string;
}

export const OPERATORS = ["=", "!=", "<", "<=", ">", ">="] as const;
export type Operator = (typeof OPERATORS)[number];

export interface ValueCondition {
  kind: ValueKind | "tags";
  name: string;
  operator: Operator;
  value: string;
}

const OPERATIONS: Record<Operator, Predicate["operation"]> = {
  "=": "EQUALS",
  "!=": "NOT_EQUALS",
  "<": "LESS_THAN",
  "<=": "LESS_THAN_EQUALS",
  ">": "GREATER_THAN",
  ">=": "GREATER_THAN_EQUALS",
};

/** As the server has it at most. */
export const MOST_CONDITIONS = 16;

const WRITTEN = /^(parameters|metrics|tags)\.([^<>=!]+)(<=|>=|!=|=|<|>)(.*)$/s;

/** `parameters.rate<0.5`. Signs that stand for operators are escaped in names. */
export function writeCondition({ kind, name, operator, value }: ValueCondition): string {
  return `${kind}.${name.replace(/[%<>=!]/g, escaped)}${operator}${value}`;
}

function escaped(sign: string): string {
  return `%${sign.charCodeAt(0).toString(16)}`;
}

/** The condition that is written so; undefined for what nobody can mean. */
export function readCondition(text: string): ValueCondition | undefined {
  const [, kind, written = "", operator, value = ""] = WRITTEN.exec(text) ?? [];
  const name = written.replace(/%(25|3c|3e|3d|21)/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16)));
  const condition = { kind, name, operator, value } as ValueCondition;
  return kind !== undefined && problem(condition) === undefined ? condition : undefined;
}

/** What is wrong with a condition that is being made. */
export function problem({ kind, name, operator, value }: ValueCondition): string | undefined {
  if (name === "") {
    return kind === "tags" ? "Say which tag" : "Say which one";
  }
  if (kind === "tags") {
    return operator === "=" ? undefined : "Tags are only compared by =";
  }
  const isOrder = operator !== "=" && operator !== "!=";
  return isOrder && !isNumber(value) ? "Only numbers are less or greater" : undefined;
}

function isNumber(text: string): boolean {
  return text.trim() !== "" && Number.isFinite(Number(text)) && !/^\s*0[xob]/i.test(text);
}

export function valuePredicate({ kind, name, operator, value }: ValueCondition): Predicate {
  return { key: `${kind}.${name}`, operation: OPERATIONS[operator], string_value: value };
}

/** As people read it. */
export function conditionWords({ kind, name, operator, value }: ValueCondition): string {
  const sign = { "!=": "≠", "<=": "≤", ">=": "≥" }[operator as string] ?? operator;
  return `${kind === "tags" ? "Tag " : ""}${name} ${sign} ${value === "" ? "(empty)" : value}`;
}

export const valueKey = ({ kind, name }: ValueName) => `${kind}.${name}`;

export function readValueName(text: string): ValueName | undefined {
  const [, kind, name] = /^(parameters|metrics)\.(.+)$/s.exec(text) ?? [];
  return kind === undefined || name === undefined ? undefined : { kind: kind as ValueKind, name };
}

/** The columns that the address names, each once; undefined if it names none. */
export function readColumns(query: URLSearchParams): ValueName[] | undefined {
  if (!query.has("column")) {
    return undefined;
  }
  const names = query.getAll("column").slice(0, MOST_COLUMNS).map(readValueName);
  const found = names.filter((name): name is ValueName => name !== undefined);
  return [...new Map(found.map((name) => [valueKey(name), name])).values()];
}

const MOST_COLUMNS = 20;

/** An address without columns is one that says nothing of them, so none at all is said by a word of its own. */
export function writeColumns(query: URLSearchParams, columns: readonly ValueName[]): URLSearchParams {
  const after = new URLSearchParams(query);
  after.delete("column");
  for (const column of columns) {
    after.append("column", valueKey(column));
  }
  if (columns.length === 0) {
    after.set("column", "none");
  }
  return after;
}

/** The name of a column; a parameter and a metric of one name are told from each other. */
export function columnLabel({ kind, name }: ValueName, shown: readonly ValueName[]): string {
  const isAlone = shown.filter((it) => it.name === name).length < 2;
  return isAlone ? name : `${name} (${kind === "metrics" ? "metric" : "parameter"})`;
}

/** A value of a run. One that is too long to be recorded may be known from what was given. */
export function valueOfRun(run: Run, values: RunValues | undefined, { kind, name }: ValueName): Json | undefined {
  const own = (members: Record<string, Json> | undefined) =>
    members !== undefined && Object.hasOwn(members, name) ? members[name] : undefined;
  return own(values?.[kind]) ?? (kind === "parameters" ? own(run.runtime_config?.parameters) : undefined);
}

/** Names of the values of runs that are loaded. */
export function knownNames(runs: readonly Run[], values: ReadonlyMap<string, RunValues>): ValueName[] {
  const names = new Map<string, ValueName>();
  const add = (kind: ValueKind, members: object | undefined) => {
    for (const name of Object.keys(members ?? {})) {
      names.set(valueKey({ kind, name }), { kind, name });
    }
  };
  for (const run of runs) {
    add("parameters", run.runtime_config?.parameters);
    add("parameters", values.get(run.run_id)?.parameters);
    add("metrics", values.get(run.run_id)?.metrics);
  }
  return [...names.values()].sort((a, b) => a.kind.localeCompare(b.kind) * -1 || a.name.localeCompare(b.name));
}

/** How many runs a list has, as far as the server knows it, and which alone it can have. */
export function totalWords(total: number, isLeast: boolean, sortedBy: ValueName | undefined): string {
  const runs = total === 1 ? "1 run" : `${total.toLocaleString("en")} runs`;
  const shown = isLeast ? `At least ${runs}` : runs;
  return sortedBy === undefined ? shown : `${shown} with a number for ${sortedBy.name}`;
}
