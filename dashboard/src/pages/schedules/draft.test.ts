import { expect, it } from "vitest";
import type { RecurringRun } from "../../api/kfp";
import { triggerOf } from "../../model/schedule";
import { readKept } from "../new-run/kept";
import { changeOf, firstTyped, missingOf, pickedOf, timed, timingIn } from "./draft";

const EXISTING = {
  recurring_run_id: "s",
  display_name: "nightly",
  description: "d",
  experiment_id: "e",
  max_concurrency: "3",
  no_catchup: true,
  trigger: { periodic_schedule: { interval_second: "7200" } },
  pipeline_version_reference: { pipeline_id: "p", pipeline_version_id: "v" },
  plugins_input: { penstock: { enable_caching: false } },
} as unknown as RecurringRun;

const PICKED = { experimentId: "", chosen: { pipelineId: "p", versionId: "" } };

it("begins with what there is, and comes back from what the tab kept", () => {
  const typed = firstTyped(EXISTING);
  expect(timingIn(typed)).toMatchObject({ kind: "interval", count: "2", unit: 3600 });
  const changed = { ...typed, ...timed({ unit: 60, count: "90" }), name: "often" };
  const kept = readKept(JSON.stringify({ typed: changed, given: { rows: "1" } }), typed);
  expect(kept).toEqual({ typed: changed, given: { rows: "1" } });
  expect(timingIn({ ...typed, kind: "moon" as "once" }).kind).toBe("cron");
  expect(triggerOf(timingIn(kept.typed))).toEqual({ trigger: { periodic_schedule: { interval_second: "5400" } } });
});

it("is sent as it was where nothing is changed", () => {
  const picked = pickedOf(EXISTING, new URLSearchParams());
  const unchanged = {
    display_name: "nightly",
    description: "d",
    max_concurrency: "3",
    no_catchup: true,
    runtime_config: { parameters: {} },
    trigger: EXISTING.trigger,
    pipeline_version_reference: { pipeline_id: "p", pipeline_version_id: "v" },
  };
  expect(changeOf(firstTyped(EXISTING), picked, {}, EXISTING.trigger, EXISTING)).toEqual(unchanged);
  const taken = { ...firstTyped(EXISTING), caching: "" as const };
  expect(changeOf(taken, picked, {}, EXISTING.trigger, EXISTING)).toEqual({ ...unchanged, plugins_input: {} });
});

it("runs the pipeline of the address, of which no version stands for the latest at each time", () => {
  expect(pickedOf(EXISTING, new URLSearchParams("edit=1&pipelineId=other")).chosen).toEqual({
    pipelineId: "other",
    versionId: "",
  });
});

it("says all that is missing", () => {
  const typed = firstTyped(undefined);
  const none = { experimentId: "", chosen: { pipelineId: "", versionId: "" } };
  const first = { typed, picked: none, mustChoose: true, hasSpec: false, wrongParameters: 2, timing: "no" };
  const { missing, words } = missingOf(first);
  expect(Object.keys(missing)).toEqual(["pipeline", "name", "experiment"]);
  expect(words).toBe("Not complete yet: a pipeline, 2 parameters, when it runs, a name, an experiment.");
  const whole = { typed: { ...typed, name: "n" }, picked: PICKED, mustChoose: false, hasSpec: true };
  expect(missingOf({ ...whole, wrongParameters: 0, timing: undefined })).toEqual({ missing: {}, words: "" });
});
