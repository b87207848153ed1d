/** Runs beside each other: what they were given, and what came of it. */
import type { Json, Run } from "../api/kfp";
import type { Artifact, PipelineSpec } from "../api/penstock";
import { kindOfArtifact } from "./preview";

export const MOST_RUNS = 50;

/** One thing that runs have, with its value in each; undefined where a run has none. */
export interface Row {
  name: string;
  values: (Json | undefined)[];
  differs: boolean;
  /** Of which of them nobody said it: the pipeline did. */
  byDefault?: boolean[];
}

function rowOf(name: string, values: (Json | undefined)[]): Row {
  const texts = new Set(values.map((value) => JSON.stringify(value, inOrder)));
  return { name, values, differs: texts.size > 1 };
}

/** The order of an object's keys says nothing. */
function inOrder(_: string, value: Json): Json {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value;
}

function rows(tables: readonly Record<string, Json | undefined>[]): Row[] {
  const names = [...new Set(tables.flatMap((table) => Object.keys(table)))].sort((a, b) => a.localeCompare(b));
  return names.map((name) =>
    rowOf(
      name,
      tables.map((table) => table[name]),
    ),
  );
}

/** What runs were given, by those who started them or by the inputs of their pipelines. */
export function parameterRows(runs: readonly Run[], specs: readonly (PipelineSpec | undefined)[] = []): Row[] {
  const given = runs.map((run) => run.runtime_config?.parameters ?? {});
  const found = rows(given.map((values, index) => ({ ...defaultsOf(specs[index]), ...values })));
  return found.map((row) => ({
    ...row,
    byDefault: row.values.map((value, index) => value !== undefined && !Object.hasOwn(given[index] ?? {}, row.name)),
  }));
}

function defaultsOf(spec: PipelineSpec | undefined): Record<string, Json | undefined> {
  const inputs = Object.entries(spec?.root.inputDefinitions?.parameters ?? {});
  return Object.fromEntries(inputs.map(([name, { defaultValue }]) => [name, defaultValue]));
}

/** What tells pipelines of runs apart: those of one version have the same. */
export function pipelineKey(run: Run): string {
  return run.pipeline_version_reference?.pipeline_version_id ?? run.run_id;
}

/** Where an artifact stands in its run: what is compared with the same of others. */
export function placeOf(artifact: Artifact): string {
  const task = artifact.producer?.task_path ?? "";
  return task === "" ? artifact.name : `${task} · ${artifact.producer?.output ?? artifact.name}`;
}

/** Numbers and words of system.Metrics artifacts, and numbers that others carry in their metadata. */
export function metricRows(artifacts: readonly (readonly Artifact[])[]): Row[] {
  return rows(
    artifacts.map((list) => {
      const table: Record<string, Json> = {};
      for (const artifact of list) {
        const isMetrics = artifact.type === "system.Metrics";
        for (const [key, value] of Object.entries(artifact.metadata ?? {})) {
          if (typeof value === "number" || (isMetrics && typeof value !== "object")) {
            table[`${placeOf(artifact)} · ${key}`] = value;
          }
        }
      }
      return table;
    }),
  );
}

/** Which is the best value of a row of numbers is for people to say; this says which are least and which are most. */
export function extremes(row: Row): { least: number[]; most: number[] } {
  const numbers = row.values.filter((value) => typeof value === "number");
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  const placesOf = (wanted: number) => row.values.flatMap((value, index) => (value === wanted ? [index] : []));
  return least < most ? { least: placesOf(least), most: placesOf(most) } : { least: [], most: [] };
}

/** Which cells of a row are unlike most others; none where all differ, or where no value is the commonest. */
export function unlikeMost(row: Row): number[] {
  const texts = row.values.map((value) => JSON.stringify(value, inOrder));
  const counts = new Map<string | undefined, number>();
  for (const text of texts) {
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  const [[usual, most] = [undefined, 0], [, second] = [undefined, 0]] = [...counts].sort(([, a], [, b]) => b - a);
  return most > second && counts.size > 1 ? texts.flatMap((text, index) => (text === usual ? [] : [index])) : [];
}

/** Something to look at, and the artifact of each run in its place. */
export interface Place {
  place: string;
  type: string;
  found: (Artifact | undefined)[];
  /** Whether all runs have one, of the same content. */
  isAlike: boolean;
}

/** Places that hold something to look at in at least one of the runs, with the artifact of each run. */
export function visualPlaces(artifacts: readonly (readonly Artifact[])[]): Place[] {
  const places = new Map<string, string>();
  for (const artifact of artifacts.flat()) {
    if (isVisual(artifact)) {
      places.set(placeOf(artifact), artifact.type);
    }
  }
  const byPlace = artifacts.map((list) => new Map(list.toReversed().map((artifact) => [placeOf(artifact), artifact])));
  return [...places]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([place, type]) => {
      const found = byPlace.map((of) => of.get(place));
      const digests = new Set(found.map((artifact) => artifact?.digest));
      return { place, type, found, isAlike: found.length > 1 && digests.size === 1 && !digests.has(undefined) };
    });
}

const VISUAL_TYPES = new Set([
  "system.ClassificationMetrics",
  "system.SlicedClassificationMetrics",
  "system.HTML",
  "system.Markdown",
]);

/** Made to be looked at, an image or a table. Of most datasets the name does not say what they are; their bytes do. */
function isVisual(artifact: Artifact): boolean {
  const kind = kindOfArtifact(artifact);
  const isPlainDataset = artifact.type === "system.Dataset" && kind === "unknown";
  return VISUAL_TYPES.has(artifact.type) || kind === "image" || kind === "table" || isPlainDataset;
}
