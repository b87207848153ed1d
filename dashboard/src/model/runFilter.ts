/** What a list of runs is narrowed by: how it stands in the address, and how the API is asked for it. */
import type { Predicate } from "../api/filter";
import { MOST_CONDITIONS, readCondition, type ValueCondition, valuePredicate, writeCondition } from "./runValues";
import { RUN_STATES } from "./state";

export interface RunFilter {
  /** Part of the name. */
  name: string;
  states: readonly string[];
  experiment: string;
  pipeline: string;
  /** A version of that pipeline. */
  version: string;
  /** On parameters, metrics and tags. */
  conditions: readonly ValueCondition[];
  /** `2026-08-01`, in the zone of the browser; both ends belong to it. */
  since: string;
  until: string;
  isArchived: boolean;
}

export function readFilter(query: URLSearchParams): RunFilter {
  const states = (query.get("state") ?? "")
    .split(",")
    .filter((word) => (RUN_STATES as readonly string[]).includes(word));
  const day = (name: string) => {
    const word = query.get(name) ?? "";
    return /^\d{4}-\d{2}-\d{2}$/.test(word) ? word : "";
  };
  return {
    name: query.get("name") ?? "",
    states,
    experiment: query.get("experiment") ?? "",
    pipeline: query.get("pipeline") ?? "",
    version: query.get("version") ?? "",
    conditions: query
      .getAll("where")
      .map(readCondition)
      .filter((condition) => condition !== undefined)
      .slice(0, MOST_CONDITIONS),
    since: day("since"),
    until: day("until"),
    isArchived: query.get("storage") === "archived",
  };
}

/** What is in the address for a filter; what is not set is left out. */
export function writeFilter(query: URLSearchParams, change: Partial<RunFilter>): URLSearchParams {
  const filter = { ...readFilter(query), ...change };
  const words: Record<string, string> = {
    name: filter.name,
    state: filter.states.join(","),
    experiment: filter.experiment,
    pipeline: filter.pipeline,
    version: filter.pipeline === "" ? "" : filter.version,
    since: filter.since,
    until: filter.until,
    storage: filter.isArchived ? "archived" : "",
  };
  const after = new URLSearchParams(query);
  for (const [name, word] of Object.entries(words)) {
    if (word === "") {
      after.delete(name);
    } else {
      after.set(name, word);
    }
  }
  after.delete("where");
  for (const condition of new Set(filter.conditions.map(writeCondition))) {
    after.append("where", condition);
  }
  return after;
}

/** Whether it leaves anything out. */
export function isNarrow(filter: RunFilter): boolean {
  const { name, states, experiment, pipeline, version, conditions, since, until } = filter;
  const words = [name, experiment, pipeline, version, since, until];
  return states.length > 0 || conditions.length > 0 || words.some((word) => word !== "");
}

/** What leaves nothing out. */
export const NOTHING = {
  name: "",
  states: [],
  experiment: "",
  pipeline: "",
  version: "",
  conditions: [],
  since: "",
  until: "",
} satisfies Partial<RunFilter>;

const DAY_MS = 86_400_000;

export function predicates(filter: RunFilter): Predicate[] {
  const found: Predicate[] = [];
  if (filter.name.trim() !== "") {
    found.push({ key: "name", operation: "IS_SUBSTRING", string_value: filter.name.trim() });
  }
  if (filter.states.length > 0) {
    found.push({ key: "state", operation: "IN", string_values: { values: [...filter.states] } });
  }
  if (filter.pipeline !== "") {
    found.push({ key: "pipeline_id", operation: "EQUALS", string_value: filter.pipeline });
  }
  if (filter.version !== "") {
    found.push({ key: "pipeline_version_id", operation: "EQUALS", string_value: filter.version });
  }
  found.push(...filter.conditions.map(valuePredicate));
  const since = startOfDay(filter.since);
  if (since !== undefined) {
    found.push({ key: "created_at", operation: "GREATER_THAN_EQUALS", timestamp_value: iso(since) });
  }
  const until = startOfDay(filter.until);
  if (until !== undefined) {
    // A day with a change of the clock has another length; its own start is looked for.
    found.push({ key: "created_at", operation: "LESS_THAN", timestamp_value: iso(nextDay(until)) });
  }
  return found;
}

function startOfDay(day: string): number | undefined {
  const at = new Date(`${day}T00:00:00`).getTime();
  return Number.isNaN(at) ? undefined : at;
}

function nextDay(at: number): number {
  const next = new Date(at + 1.5 * DAY_MS);
  next.setHours(0, 0, 0, 0);
  return next.getTime();
}

const iso = (at: number) => `${new Date(at).toISOString().slice(0, 19)}Z`;
