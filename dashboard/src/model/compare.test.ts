import { describe, expect, it } from "vitest";
import type { Json, Run } from "../api/kfp";
import type { Artifact } from "../api/penstock";
import { extremes, metricRows, parameterRows, visualPlaces } from "./compare";

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
    expect(extremes(rows[1] ?? { name: "", values: [], differs: false })).toEqual({ least: 0, most: 1 });
  });

  it("have no extremes where all are alike, or one stands alone", () => {
    expect(extremes({ name: "a", values: [1, 1], differs: false })).toEqual({});
    expect(extremes({ name: "a", values: [1, undefined], differs: true })).toEqual({});
    expect(extremes({ name: "a", values: ["x", "y"], differs: true })).toEqual({});
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
