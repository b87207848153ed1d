import { describe, expect, it } from "vitest";
import type { Json, Run } from "../api/kfp";
import type { Artifact, PipelineSpec } from "../api/penstock";
import { extremes, metricRows, parameterRows, unlikeMost, visualPlaces } from "./compare";

const run = (parameters?: Record<string, Json>) => ({ runtime_config: { parameters } }) as unknown as Run;
const artifact = (type: string, task: string, metadata: Record<string, Json>, uri = "s3://b/x"): Artifact => ({
  artifact_id: `${task} ${uri}`,
  name: "out",
  type,
  uri,
  metadata,
  producer: { run_id: "r", task_id: "t", task_path: task, output: "out" },
});

describe("parameters", () => {
  it("differ when a value does, or when one has none", () => {
    const rows = parameterRows([run({ rate: 0.1, grid: { a: [1] } }), run({ rate: 0.1, grid: { a: [2] } }), run()]);
    expect(rows.map((row) => [row.name, row.differs])).toEqual([
      ["grid", true],
      ["rate", true],
    ]);
    expect(parameterRows([run({ rate: 1 }), run({ rate: 1 })])[0]?.differs).toBe(false);
    expect(parameterRows([run({ a: { x: 1, y: [2] } }), run({ a: { y: [2], x: 1 } })])[0]?.differs).toBe(false);
  });

  it("are those of the pipeline where nobody gave them", () => {
    const parameters = {
      rows: { parameterType: "NUMBER_INTEGER", defaultValue: 20 },
      seed: { parameterType: "STRING" },
    };
    const spec = { root: { inputDefinitions: { parameters } } } as unknown as PipelineSpec;
    const rows = parameterRows([run({ rows: 20 }), run(), run({ seed: "x" })], [spec, spec, undefined]);
    expect(rows).toEqual([
      { name: "rows", values: [20, 20, undefined], differs: true, byDefault: [false, true, false] },
      { name: "seed", values: [undefined, undefined, "x"], differs: true, byDefault: [false, false, false] },
    ]);
    expect(parameterRows([run({ rows: 20 }), run()], [spec, spec])[0]?.differs).toBe(false);
  });
});

describe("metrics", () => {
  it("are matched by task and output", () => {
    const rows = metricRows([
      [
        artifact("system.Metrics", "train", { accuracy: 0.9, note: "ok" }),
        artifact("system.Model", "train", { loss: 1, tags: [] }),
      ],
      [artifact("system.Metrics", "train", { accuracy: 0.95 }), artifact("system.Metrics", "test", { accuracy: 0.5 })],
    ]);
    expect(rows.map((row) => row.name)).toEqual([
      "test · out · accuracy",
      "train · out · accuracy",
      "train · out · loss",
      "train · out · note",
    ]);
    expect(extremes(rows[1] ?? { name: "", values: [], differs: false })).toEqual({ least: [0], most: [1] });
  });

  it("that tie are all least, or all most", () => {
    const row = { name: "a", values: [3, 1, 3, "x", 1, 2, undefined], differs: true };
    expect(extremes(row)).toEqual({ least: [1, 4], most: [0, 2] });
  });

  it("have no extremes where all are alike, or one stands alone", () => {
    expect(extremes({ name: "a", values: [1, 1], differs: false })).toEqual({ least: [], most: [] });
    expect(extremes({ name: "a", values: [1, undefined], differs: true })).toEqual({ least: [], most: [] });
    expect(extremes({ name: "a", values: ["x", "y"], differs: true })).toEqual({ least: [], most: [] });
  });
});

it("finds what can be looked at in either run", () => {
  const places = visualPlaces([
    [artifact("system.HTML", "report", {})],
    [artifact("system.Artifact", "plot", {}, "s3://b/loss.PNG"), artifact("system.Model", "train", {})],
  ]);
  expect(places.map(({ place, found }) => [place, found.map((it) => it !== undefined)])).toEqual([
    ["plot · out", [false, true]],
    ["report · out", [true, false]],
  ]);
});

it("looks at tables, by their names or as datasets whose bytes say what they are", () => {
  const stored = (type: string, task: string, uri: string, more: Partial<Artifact> = {}): Artifact => ({
    ...artifact(type, task, {}, uri),
    digest: task,
    ...more,
  });
  const list = [
    stored("system.Artifact", "a-csv", "s3://b/rows.csv"),
    stored("system.Artifact", "b-tsv", "s3://b/rows.tsv"),
    stored("system.Dataset", "c-parquet", "s3://b/rows.parquet"),
    stored("system.Dataset", "d-plain", "s3://b/table"),
    stored("system.Dataset", "e-text", "s3://b/readme.txt"),
    stored("system.Dataset", "f-directory", "s3://b/rows", { directory: true }),
    stored("system.Model", "g-model", "s3://b/model"),
  ];
  const places = visualPlaces([list, list]);
  expect(places.map(({ place }) => place)).toEqual(["a-csv · out", "b-tsv · out", "c-parquet · out", "d-plain · out"]);
  expect(places.every((it) => it.isAlike)).toBe(true);
  const other = list.map((it) => ({ ...it, digest: "other" }));
  expect(visualPlaces([list, other]).some((it) => it.isAlike)).toBe(false);
  expect(visualPlaces([list, []]).some((it) => it.isAlike)).toBe(false);
  expect(visualPlaces([list]).some((it) => it.isAlike)).toBe(false);
});

it("marks what is unlike most, and nothing where all differ", () => {
  const marked = (...values: (Json | undefined)[]) => unlikeMost({ name: "a", values, differs: true });
  expect(marked(1, 1, 2)).toEqual([2]);
  expect(marked(undefined, { a: 1, b: 2 }, { b: 2, a: 1 })).toEqual([0]);
  expect(marked(1, 2, 1, 3)).toEqual([1, 3]);
  expect(marked(1, 2)).toEqual([]);
  expect(marked(1, 2, 3)).toEqual([]);
  expect(marked(1, 1, 2, 2)).toEqual([]);
  expect(marked(1, 1)).toEqual([]);
});
