/** Runs beside each other: what they were given, and what came of it. */
import type { Json, Run } from "../api/kfp";
import type { Artifact } from "../api/penstock";

export const MOST_RUNS = 50;

/** One thing that runs have, with its value in each; undefined where a run has none. */
export interface Row {
  name: string;
  values: (Json | undefined)[];
  differs: boolean;
}

function rowOf(name: string, values: (Json | undefined)[]): Row {
  const texts = new Set(values.map((value) => JSON.stringify(value)));
  return { name, values, differs: texts.size > 1 };
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

export function parameterRows(runs: readonly Run[]): Row[] {
  return rows(runs.map((run) => run.runtime_config?.parameters ?? {}));
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

/** The place of the best value of a row of numbers is for people to say; this says which is least and which is most. */
export function extremes(row: Row): { least?: number; most?: number } {
  const numbers = row.values.flatMap((value, index) => (typeof value === "number" ? [[value, index] as const] : []));
  if (numbers.length < 2 || !row.differs) {
    return {};
  }
  const sorted = [...numbers].sort(([a], [b]) => a - b);
  const [first, last] = [sorted[0], sorted.at(-1)];
  return first && last && first[0] !== last[0] ? { least: first[1], most: last[1] } : {};
}

/** Places that hold something to look at in at least one of the runs, with the artifact of each run. */
export function visualPlaces(
  artifacts: readonly (readonly Artifact[])[],
): { place: string; type: string; found: (Artifact | undefined)[] }[] {
  const kinds = new Set([
    "system.ClassificationMetrics",
    "system.SlicedClassificationMetrics",
    "system.HTML",
    "system.Markdown",
  ]);
  const places = new Map<string, string>();
  for (const artifact of artifacts.flat()) {
    if (kinds.has(artifact.type) || isImage(artifact)) {
      places.set(placeOf(artifact), artifact.type);
    }
  }
  return [...places]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([place, type]) => ({
      place,
      type,
      found: artifacts.map((list) => list.find((artifact) => placeOf(artifact) === place)),
    }));
}

function isImage(artifact: Artifact): boolean {
  return /\.(png|jpe?g|gif|webp|svg)$/i.test(artifact.uri);
}
