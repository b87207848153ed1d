import { expect, test } from "vitest";
import type { Json, Run } from "../../../api/kfp";
import type { RunRecord } from "../../../api/penstock";
import { settingsOf } from "./settings";

const run = { run_id: "r", created_at: "2026-08-01T10:00:00Z", service_account: "pipeline-runner" } as Run;
const of = (options: Record<string, Json>, caching = true) => {
  const info = { name: "hello-1", pipelineRoot: "file:///data", caching };
  return settingsOf(run, { info, options } as unknown as RunRecord["run"]);
};
const local = {
  backend: "process",
  dataDir: "0bbd",
  hostCommands: false,
  serviceAccount: "pipeline-runner",
  cache: {},
};

test("on one machine, what means nothing there is not told", () => {
  const settings = of({ ...local, componentDir: null });
  expect(Object.keys(settings)).toEqual([
    "Run id",
    "Created",
    "Name",
    "Pipeline root",
    "Results from the cache",
    "Tasks run as",
  ]);
  expect(settings["Tasks run as"]).toBe("processes of the server's machine");
  expect(of({ ...local, hostCommands: true })["Commands of images"]).toContain("without the image");
  expect(of({ ...local, componentDir: "/src" })["Files of components"]).toBe("/src");
});

test("on a cluster, the account and what is kept are told", () => {
  const retention = { afterSuccess: 3600, afterFailure: 172_800 };
  const settings = of({ backend: "kubernetes", hostCommands: false, serviceAccount: "pipeline-runner", retention });
  expect(settings).toMatchObject({
    "Tasks run as": "Pods of Kubernetes",
    "Service account": "pipeline-runner",
    "Pods and workspace are kept": "1 h after success, 2 d after a failure",
  });
  expect(settings).not.toHaveProperty("Commands of images");
});

test("who turned the cache off is said, and how old a result may be", () => {
  const cache = (cache: Json, caching = true) => of({ ...local, cache }, caching)["Results from the cache"];
  expect(cache({})).toBe("taken where there are any");
  expect(cache({ maxAgeSeconds: 86_400 })).toBe("taken where there are any that are not older than 1 d");
  expect(cache({ off: "PIPELINE" }, false)).toBe("not taken: a tag of the pipeline says so");
  expect(cache({}, false)).toBe("not taken");
});

test("what a later version settles is told as it is called", () => {
  expect(of({ ...local, backend: "moon", speed: 3, nothing: {} })).toMatchObject({ "Tasks run as": "moon", speed: 3 });
  expect(of({ ...local, nothing: {} })).not.toHaveProperty("nothing");
  expect(settingsOf(run, undefined)).toMatchObject({ "Run id": "r", "Service account": "pipeline-runner" });
});
