import { describe, expect, it } from "vitest";
import { isNarrow, NOTHING, predicates, readFilter, writeFilter } from "./runFilter";

describe("a filter of runs", () => {
  it("is the same after it was in the address", () => {
    const change = {
      name: "nightly & co",
      states: ["FAILED", "RUNNING"],
      experiment: "e1",
      pipeline: "p1",
      version: "v1",
      conditions: [
        { kind: "parameters", name: "rate", operator: "<", value: "0.5" },
        { kind: "tags", name: "team", operator: "=", value: "a & b" },
      ],
      since: "2026-03-01",
      isArchived: true,
    } as const;
    const query = writeFilter(new URLSearchParams("view=x"), change);
    expect(query.get("view")).toBe("x");
    expect(readFilter(query)).toEqual({ ...change, until: "" });
    expect(writeFilter(query, { ...NOTHING, isArchived: false }).toString()).toBe("view=x");
  });

  it("passes over what nobody can mean", () => {
    const filter = readFilter(new URLSearchParams("state=FAILED,%3Cscript%3E&since=yesterday&until=2026-13-77"));
    expect(filter.states).toEqual(["FAILED"]);
    expect(filter.since).toBe("");
    expect(predicates(filter).map((it) => it.key)).toEqual(["state"]);
  });

  it("asks for both ends of a range of days", () => {
    const asked = predicates(readFilter(new URLSearchParams("since=2026-03-01&until=2026-03-01")));
    const [from, to] = asked.map((it) => Date.parse(it.timestamp_value ?? ""));
    expect((to ?? 0) - (from ?? 0)).toBe(86_400_000);
    expect(asked.map((it) => it.operation)).toEqual(["GREATER_THAN_EQUALS", "LESS_THAN"]);
  });

  it("asks for pipelines, versions and values by their own keys", () => {
    const query = new URLSearchParams("pipeline=p&version=v&where=metrics.loss>=1&where=parameters.rate<low");
    expect(predicates(readFilter(query))).toEqual([
      { key: "pipeline_id", operation: "EQUALS", string_value: "p" },
      { key: "pipeline_version_id", operation: "EQUALS", string_value: "v" },
      { key: "metrics.loss", operation: "GREATER_THAN_EQUALS", string_value: "1" },
    ]);
    // A version is one of a pipeline.
    expect(writeFilter(query, { pipeline: "", conditions: [] }).toString()).toBe("");
  });

  it("is narrow when it leaves something out", () => {
    expect(isNarrow(readFilter(new URLSearchParams("storage=archived")))).toBe(false);
    for (const query of ["name=a", "pipeline=p", "where=tags.team%3Dml"]) {
      expect(isNarrow(readFilter(new URLSearchParams(query)))).toBe(true);
    }
  });
});
