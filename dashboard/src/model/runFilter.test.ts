import { describe, expect, it } from "vitest";
import { isNarrow, predicates, readFilter, writeFilter } from "./runFilter";

describe("a filter of runs", () => {
  it("is the same after it was in the address", () => {
    const change = {
      name: "nightly & co",
      states: ["FAILED", "RUNNING"],
      experiment: "e1",
      since: "2026-03-01",
      isArchived: true,
    };
    const query = writeFilter(new URLSearchParams("view=x"), change);
    expect(query.get("view")).toBe("x");
    expect(readFilter(query)).toEqual({
      name: "nightly & co",
      states: ["FAILED", "RUNNING"],
      experiment: "e1",
      since: "2026-03-01",
      until: "",
      isArchived: true,
    });
    expect(writeFilter(query, { name: "", states: [], experiment: "", since: "", isArchived: false }).toString()).toBe(
      "view=x",
    );
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

  it("is narrow when it leaves something out", () => {
    expect(isNarrow(readFilter(new URLSearchParams("storage=archived")))).toBe(false);
    expect(isNarrow(readFilter(new URLSearchParams("name=a")))).toBe(true);
  });
});
