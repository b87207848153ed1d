import { describe, expect, it } from "vitest";
import { ApiError } from "../api/http";
import { addStale, isMissed, isStale, nothingStale } from "./stale";

const staleAfter = (...kinds: string[]) => {
  const stale = nothingStale();
  for (const kind of kinds) {
    addStale(stale, { id: 1, kind, at: "", run_id: "a" });
  }
  return stale;
};

describe("what is read again", () => {
  it("is the tree of a run whose state changed, though nobody saw it open", () => {
    const stale = staleAfter("run_state", "run_state");
    expect(isStale(stale, ["tree", "a", {}])).toBe(true);
    expect(isStale(stale, ["run", "a", "record"])).toBe(true);
    expect(isStale(stale, ["runs", {}])).toBe(true);
  });

  it("is no other run's tree, and none of the past", () => {
    const stale = staleAfter("run_state");
    expect(isStale(stale, ["tree", "b", {}])).toBe(false);
    expect(isStale(stale, ["tree", "a", { at: 3 }])).toBe(false);
  });

  it("is not a run because one of its tasks ended", () => {
    const stale = staleAfter("task_ended");
    expect(isStale(stale, ["tree", "a", {}])).toBe(false);
    expect(isStale(stale, ["run", "a"])).toBe(false);
    expect(isStale(stale, ["artifacts", {}])).toBe(true);
  });

  it("is the list of schedules alone after a change of one", () => {
    const stale = staleAfter("recurring_run_fired");
    expect(isStale(stale, ["schedules"])).toBe(true);
    expect(isStale(stale, ["runs", {}])).toBe(false);
  });

  it("is what could not be asked for while the server was away, and nothing that was refused", () => {
    expect(isMissed({ error: new ApiError(0, "GET x", "it cannot be reached") })).toBe(true);
    expect(isMissed({ error: new ApiError(502, "GET x", "a proxy's word") })).toBe(true);
    expect(isMissed({ error: new ApiError(404, "GET x", "not found") })).toBe(false);
    expect(isMissed({ error: null })).toBe(false);
  });
});
