/** Below a path of another server, as an ingress or Kubeflow's gateway has it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Run } from "../src/api/kfp";
import { type Front, proxy } from "./proxy";
import { api, expect, finished, fresh, home, open, test, upload } from "./site";

// What the showcase puts out wants to run scripts.
test.use({ mayBlock: true });

const PREFIX = "/some/prefix/";

let front: Front;

test.beforeAll(async () => {
  front = await proxy(PREFIX, home());
});

test.afterAll(() => front.stop());

test.beforeEach(({ sites }) => {
  sites.splice(0, sites.length, front.url);
});

/** Nothing was asked for beside the path, by pages, scripts, workers, frames or streams. */
test.afterEach(() => {
  expect(front.strays).toEqual([]);
});

test("every page is there below a path", async ({ page }) => {
  const run = await finished("hello");
  for (const [address, title] of [
    ["/", "Home"],
    ["/runs", "Runs"],
    ["/pipelines", "Pipelines"],
    ["/experiments", "Experiments"],
    ["/recurringruns", "Schedules"],
    ["/artifacts", "Artifacts"],
    ["/system", "System"],
    [`/runs/details/${run.run_id}`, run.display_name],
    [`/compare?runlist=${run.run_id}`, "Compare"],
  ] as const) {
    await open(page, `${front.url}#${address}`);
    await expect(page.getByRole("heading", { level: 1 })).toContainText(title);
  }
  await open(page, `${front.url}#/system`);
  await expect(page.getByRole("status").filter({ hasText: "Live" })).toBeVisible();
  await expect(page.locator("pre").filter({ hasText: "Client(host=" })).toContainText(front.url.replace(/\/$/, ""));
  const document = page.getByRole("link", { name: "OpenAPI document" });
  await expect(document).toHaveAttribute("href", `${front.url}apis/penstock/v1/openapi.json`);
  expect(front.asked.some((path) => path.startsWith("/assets/"))).toBe(true);
  expect(front.asked.some((path) => path.startsWith("/apis/penstock/v1/events"))).toBe(true);
});

test("a run is begun, watched and looked into below a path", async ({ page }) => {
  const pipeline = await upload(
    "showcase",
    readFileSync(join(import.meta.dirname, "pipelines/showcase.yaml")),
    fresh("showcase"),
    front.url,
  );
  const run = await api<Run>(
    "apis/v2beta1/runs",
    {
      display_name: fresh("showcase"),
      pipeline_version_reference: { pipeline_id: pipeline.pipeline_id },
      runtime_config: { parameters: { lines: 40, pause: 0.1 } },
    },
    front.url,
  );
  // The log comes by a worker and a stream, the state by the run's own stream.
  await open(page, `${front.url}#/runs/details/${run.run_id}?view=table&task=talk&tab=logs`);
  const log = page.getByRole("region", { name: /^Log of talk/ });
  await expect(log.getByText(/^line \d+$/).first()).toBeVisible();
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Succeeded", { timeout: 120_000 });
  // A page that opened after the end shows the beginning.
  await log.press("End");
  await expect(log.getByText("last words")).toBeVisible();
  const { artifacts = [] } = await api<{ artifacts?: { artifact_id: string; name: string }[] }>(
    `apis/penstock/v1/artifacts?run_id=${run.run_id}`,
  );
  const of = (name: string) => artifacts.find((it) => it.name === name)?.artifact_id ?? "";
  await open(page, `${front.url}#/artifacts/${of("html")}`);
  await expect(page.frameLocator("iframe").locator("#said")).not.toHaveText("not run");
  await open(page, `${front.url}#/artifacts/${of("image")}`);
  const picture = page.getByRole("region", { name: "Preview" }).locator("img");
  await expect(picture).toBeVisible();
  expect(await picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(0);
  await open(page, `${front.url}#/artifacts/${of("table")}`);
  await expect(page.getByRole("region", { name: "Preview" })).toContainText("row 1, quoted");
});

test("what pages change is changed below a path", async ({ page }) => {
  const run = await finished("hello");
  await open(page, `${front.url}#/runs/details/${run.run_id}`);
  await page.getByRole("button", { name: "Archive" }).click();
  await expect(page.getByRole("button", { name: "Take out of the archive" })).toBeVisible();
});
