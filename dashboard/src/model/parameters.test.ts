import { describe, expect, it } from "vitest";
import type { ParameterDefinition, PipelineSpec } from "../api/penstock";
import { answersOf, collect, definitions, formatted, pipelineOf, read } from "./parameters";

const of = (parameterType: string, more: Partial<ParameterDefinition> = {}): ParameterDefinition => ({
  parameterType,
  ...more,
});

describe("a parameter's text", () => {
  it.each([
    ["STRING", " as typed ", " as typed "],
    ["STRING", "", ""],
    ["BOOLEAN", "true", true],
    ["NUMBER_INTEGER", " -12 ", -12],
    ["NUMBER_DOUBLE", "1e-3", 0.001],
    ["LIST", "[1, 2]", [1, 2]],
    ["STRUCT", '{"a": null}', { a: null }],
  ])("of %s %j is a value", (type, text, value) => {
    expect(read(of(type), text)).toEqual({ value });
  });

  it.each([
    ["BOOLEAN", "yes"],
    ["NUMBER_INTEGER", "1.5"],
    ["NUMBER_INTEGER", "9007199254740993"],
    ["NUMBER_DOUBLE", ""],
    ["NUMBER_DOUBLE", "NaN"],
    ["LIST", '{"a": 1}'],
    ["LIST", "[1,"],
    ["STRUCT", "[1]"],
    ["STRUCT", "null"],
  ])("of %s %j is refused with a reason", (type, text) => {
    expect(read(of(type), text)).toHaveProperty("reason");
  });

  it("is one of the literals, where there are some", () => {
    const mode = of("STRING", { literals: ["fast", "slow"] });
    expect(read(mode, "fast")).toEqual({ value: "fast" });
    expect(read(mode, "Fast")).toHaveProperty("reason");
  });
});

describe("answers", () => {
  const parameters = definitions({
    pipelineInfo: { name: "p" },
    root: {
      inputDefinitions: {
        parameters: {
          rate: of("NUMBER_DOUBLE", { defaultValue: 0.1 }),
          name: of("STRING"),
          note: of("STRING", { isOptional: true }),
          grid: of("STRUCT", { isOptional: true }),
        },
      },
    },
  } as PipelineSpec);

  it("are asked for in the order of need", () => {
    expect(parameters.map(([name]) => name)).toEqual(["name", "rate", "note", "grid"]);
  });

  it("leave defaults to the server", () => {
    expect(collect(parameters, { name: "a" })).toEqual({ values: { name: "a" }, problems: [] });
  });

  it("say all that is wrong at once", () => {
    const { problems } = collect(parameters, { rate: "x", grid: "[" });
    expect(problems.map((it) => it.parameter)).toEqual(["name", "rate", "grid"]);
  });

  it("come back from the values of a run", () => {
    const values = { name: "a", rate: 2, grid: { a: [1] }, gone: 1 };
    const { values: again } = collect(parameters, answersOf(parameters, values));
    expect(again).toEqual({ name: "a", rate: 2, grid: { a: [1] } });
  });
});

it("finds the pipeline beside what is for a platform", () => {
  const spec = { pipelineInfo: { name: "p" }, root: {} };
  expect(pipelineOf(spec)).toBe(spec);
  expect(pipelineOf({ pipeline_spec: spec, platform_spec: {} })).toBe(spec);
  expect(pipelineOf("text")).toBeUndefined();
  expect(pipelineOf({})).toBeUndefined();
});

it("lays out JSON that is right and not laid out", () => {
  const struct: ParameterDefinition = { parameterType: "STRUCT" };
  const laidOut = '{\n  "a": [\n    1\n  ]\n}';
  expect(formatted(struct, '{"a":[1]}')).toBe(laidOut);
  expect(formatted(struct, laidOut)).toBeUndefined();
  expect(formatted(struct, '{"a":')).toBeUndefined();
  expect(formatted(struct, "[1]")).toBeUndefined();
  expect(formatted({ parameterType: "STRING" }, '{"a":[1]}')).toBeUndefined();
});
