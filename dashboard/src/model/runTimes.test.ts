import { expect, it } from "vitest";
import type { Run } from "../api/kfp";
import { latestOf, startOf } from "./runTimes";

const at = (second: number) => `2026-08-01T10:00:${String(second).padStart(2, "0")}Z`;
const history = (...states: [Run["state"], number][]) =>
  states.map(([state, second]) => ({ state: state ?? "RUNTIME_STATE_UNSPECIFIED", update_time: at(second) }));
const NEVER = "1970-01-01T00:00:00Z";

it("counts from the start, whenever the run was created", () => {
  const run = { state_history: history(["PENDING", 0], ["RUNNING", 3], ["SUCCEEDED", 4]) };
  expect(startOf(run)).toBe(at(3));
  expect(startOf({ state_history: history(["PENDING", 0]) })).toBeUndefined();
  expect(startOf({})).toBeUndefined();
});

it("counts on over a retry", () => {
  const run = { state_history: history(["RUNNING", 3], ["FAILED", 4], ["PENDING", 20], ["RUNNING", 21]) };
  expect(startOf(run)).toBe(at(3));
});

it("says of a run what came last", () => {
  const waiting = { created_at: at(0), finished_at: NEVER, state_history: history(["PENDING", 0]) };
  expect(latestOf(waiting)).toEqual({ word: "created", at: at(0) });
  const running = { ...waiting, state_history: history(["PENDING", 0], ["RUNNING", 3]) };
  expect(latestOf(running)).toEqual({ word: "started", at: at(3) });
  expect(latestOf({ ...running, finished_at: at(9) })).toEqual({ word: "ended", at: at(9) });
});
