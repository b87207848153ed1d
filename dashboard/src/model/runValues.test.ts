import { describe, expect, it } from "vitest";
import type { Run } from "../api/kfp";
import {
  columnLabel,
  conditionWords,
  knownNames,
  problem,
  readColumns,
  readCondition,
  readValueName,
  totalWords,
  type ValueCondition,
  valueOfRun,
  valuePredicate,
  writeColumns,
  writeCondition,
} from "./runValues";

const condition = (part: Partial<ValueCondition> = {}): ValueCondition => ({
  kind: "parameters",
  name: "rate",
  operator: "<",
  value: "0.5",
  ...part,
});

describe("a condition on a value", () => {
  it("is the same after it was in the address", () => {
    expect(writeCondition(condition())).toBe("parameters.rate<0.5");
    for (const it of [
      condition({ operator: "<=" }),
      condition({ operator: "!=", value: "a=b <c>" }),
      condition({ kind: "metrics", name: "val loss", operator: ">=", value: "-1e-3" }),
      condition({ kind: "tags", name: "a.b", operator: "=", value: "" }),
      condition({ name: "50%<x>=!y%3c", operator: "=" }),
    ]) {
      expect(readCondition(writeCondition(it))).toEqual(it);
    }
  });

  it("is passed over if nobody can mean it", () => {
    for (const text of ["", "rate<5", "parameters.<5", "parameters.rate", "parameters.rate<low", "tags.team<5"]) {
      expect(readCondition(text)).toBeUndefined();
    }
  });

  it("says what is wrong with it while it is made", () => {
    expect(problem(condition())).toBeUndefined();
    expect(problem(condition({ name: "" }))).toBe("Say which one");
    expect(problem(condition({ value: "" }))).toBe("Only numbers are less or greater");
    expect(problem(condition({ value: "0x10" }))).toBe("Only numbers are less or greater");
    expect(problem(condition({ operator: "=", value: "low" }))).toBeUndefined();
    expect(problem(condition({ kind: "tags", operator: "!=" }))).toBe("Tags are only compared by =");
  });

  it("is asked and read in its own words", () => {
    expect(valuePredicate(condition({ kind: "metrics", operator: ">=" }))).toEqual({
      key: "metrics.rate",
      operation: "GREATER_THAN_EQUALS",
      string_value: "0.5",
    });
    expect(conditionWords(condition({ operator: "<=" }))).toBe("rate ≤ 0.5");
    expect(conditionWords(condition({ kind: "tags", name: "team", operator: "=", value: "" }))).toBe(
      "Tag team = (empty)",
    );
  });
});

describe("columns of values", () => {
  it("are the same after they were in the address", () => {
    const columns = [
      { kind: "parameters", name: "rate, of learning" },
      { kind: "metrics", name: "loss" },
    ] as const;
    const query = writeColumns(new URLSearchParams("view=x&column=parameters.old"), columns);
    expect(readColumns(query)).toEqual(columns);
    expect(query.get("view")).toBe("x");
    expect(readColumns(writeColumns(query, []))).toEqual([]);
    expect(readColumns(new URLSearchParams("view=x"))).toBeUndefined();
  });

  it("are each shown once, and only if they can be", () => {
    const query = new URLSearchParams("column=metrics.a&column=metrics.a&column=tags.b&column=parameters.");
    expect(readColumns(query)).toEqual([{ kind: "metrics", name: "a" }]);
    expect(readValueName("created_at")).toBeUndefined();
  });

  const run = { run_id: "r", runtime_config: { parameters: { rate: 1, toString: "x" } } } as unknown as Run;

  it("show what is recorded, and what was given else", () => {
    const values = { parameters: { rate: 0.5 }, metrics: { loss: 0 } };
    expect(valueOfRun(run, values, { kind: "parameters", name: "rate" })).toBe(0.5);
    expect(valueOfRun(run, values, { kind: "metrics", name: "loss" })).toBe(0);
    expect(valueOfRun(run, undefined, { kind: "parameters", name: "rate" })).toBe(1);
    expect(valueOfRun(run, values, { kind: "metrics", name: "rate" })).toBeUndefined();
    expect(valueOfRun(run, values, { kind: "metrics", name: "constructor" })).toBeUndefined();
  });

  it("of one name are told from each other", () => {
    const [parameter, metric] = [
      { kind: "parameters", name: "lines" },
      { kind: "metrics", name: "lines" },
    ] as const;
    expect(columnLabel(metric, [metric])).toBe("lines");
    expect(columnLabel(metric, [parameter, metric])).toBe("lines (metric)");
    expect(columnLabel(parameter, [parameter, metric])).toBe("lines (parameter)");
  });

  it("are offered by the names of what is loaded, parameters first", () => {
    const values = new Map([["r", { parameters: { depth: 3 }, metrics: { loss: 1 } }]]);
    const names = knownNames([run], values).map(({ kind, name }) => `${kind}.${name}`);
    expect(names).toEqual(["parameters.depth", "parameters.rate", "parameters.toString", "metrics.loss"]);
  });
});

describe("the number of runs", () => {
  it("is said as far as it is known", () => {
    expect(totalWords(1, false, undefined)).toBe("1 run");
    expect(totalWords(5001, true, undefined)).toBe("At least 5,001 runs");
    expect(totalWords(2, false, { kind: "metrics", name: "loss" })).toBe("2 runs with a number for loss");
  });
});
