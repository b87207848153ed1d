/** T-14, I-14, I-32: what users store, print and name is data. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import type { RecurringRun, Run, VersionPage } from "../src/api/kfp";
import { api, expect, fresh, home, sample, succeeded, test, upload, visit } from "./site";

test.use({ mayBlock: true });

const showcase = () => readFileSync(join(import.meta.dirname, "pipelines/showcase.yaml"));

const HOSTILE = `"><img src=x onerror="window.pwned='name'"><script>window.pwned='script'</script> \u202e{{7*7}} ${"w".repeat(60)}`;

async function isInert(page: Page) {
  // An image that fails to load would have run by now.
  await page.waitForTimeout(300);
  expect(await page.evaluate(() => (window as unknown as { pwned?: string }).pwned)).toBeUndefined();
  expect(await page.locator("img[src=x]").count()).toBe(0);
  // Each keeps the direction of its text to itself.
  const turning = () =>
    [...document.body.querySelectorAll("*")].filter((it) => getComputedStyle(it).unicodeBidi === "normal");
  expect(await page.evaluate(`(${turning})().map((it) => it.outerHTML.slice(0, 100))`)).toEqual([]);
}

/** A run of the showcase that has ended. */
async function shown(): Promise<Run> {
  const pipeline = await upload("showcase", showcase());
  const { run_id: id } = await api<Run>("apis/v2beta1/runs", {
    display_name: fresh("showcase"),
    pipeline_version_reference: { pipeline_id: pipeline.pipeline_id },
  });
  return succeeded(id);
}

test("T-14 I-14: hostile names and values are text wherever they are shown", async ({ page }) => {
  const pipeline = await upload("hello", sample("hello"), fresh("hostile"));
  const experiment = await api<{ experiment_id: string }>("apis/v2beta1/experiments", {
    display_name: fresh(HOSTILE.slice(0, 100)),
    description: HOSTILE,
  });
  const run = await api<Run>("apis/v2beta1/runs", {
    display_name: HOSTILE,
    description: HOSTILE,
    experiment_id: experiment.experiment_id,
    pipeline_version_reference: { pipeline_id: pipeline.pipeline_id },
  });
  for (const address of [
    "/",
    "/runs",
    "/experiments",
    `/experiments/details/${experiment.experiment_id}`,
    `/runs/details/${run.run_id}`,
    `/runs/new?cloneFromRun=${run.run_id}`,
    `/compare?runlist=${run.run_id}`,
    `/runs?name=${encodeURIComponent(HOSTILE)}`,
    `/runs/details/${encodeURIComponent(HOSTILE)}`,
  ]) {
    await visit(page, address);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await expect(page.getByText(/^(Loading|Reading|Drawing)/)).toHaveCount(0);
    await isInert(page);
  }
});

/** A sample with a task and a parameter that are named so. */
function named(name: string): string {
  const word = JSON.stringify(name);
  return sample("hello")
    .toString()
    .replace("componentInputParameter: rows", `componentInputParameter: ${word}`)
    .replace("\n      rows:\n        defaultValue", `\n      ${word}:\n        defaultValue`)
    .replace("taskInfo:\n          name: prepare", `taskInfo:\n          name: ${word}`);
}

async function tagged(path: string, value: string) {
  const tags = { '"><img src=x onerror="window': value.slice(0, 60) };
  const headers = { "content-type": "application/json" };
  const answer = await fetch(home() + path, { method: "PATCH", headers, body: JSON.stringify({ tags }) });
  expect(answer.ok, await answer.text()).toBe(true);
}

test("T-14 I-14: hostile names of pipelines, versions, tasks, parameters, tags and schedules are text", async ({
  page,
}) => {
  const name = HOSTILE.slice(0, 100);
  const { pipeline_id: pipeline } = await upload("hello", named(name), fresh(name));
  const reference = { pipeline_id: pipeline };
  const { pipeline_versions: versions = [] } = await api<VersionPage>(`apis/v2beta1/pipelines/${pipeline}/versions`);
  // The first version is called as the pipeline is.
  expect(versions[0]?.display_name).toContain("onerror");
  await tagged(`apis/v2beta1/pipelines/${pipeline}`, name);
  await tagged(`apis/v2beta1/pipelines/${pipeline}/versions/${versions[0]?.pipeline_version_id}`, name);
  const parameters = { [name]: 3 };
  const { run_id: begun } = await api<Run>("apis/v2beta1/runs", {
    display_name: fresh(name),
    pipeline_version_reference: reference,
    runtime_config: { parameters },
  });
  const run = await succeeded(begun);
  const schedule = await api<RecurringRun>("apis/v2beta1/recurringruns", {
    display_name: name,
    max_concurrency: "1",
    mode: "DISABLE",
    trigger: { cron_schedule: { cron: "0 30 2 * * *" } },
    pipeline_version_reference: reference,
    runtime_config: { parameters },
  });
  for (const address of [
    "/pipelines",
    `/pipelines/details/${pipeline}`,
    `/pipelines/details/${pipeline}?view=about`,
    `/pipelines/details/${pipeline}?view=source`,
    `/runs/new?pipelineId=${pipeline}`,
    "/recurringruns",
    `/recurringrun/details/${schedule.recurring_run_id}`,
    `/runs/details/${run.run_id}`,
    `/runs/details/${run.run_id}?view=timeline`,
    `/runs/details/${run.run_id}?view=table&task=prepare&tab=values`,
    `/runs/details/${run.run_id}?view=details`,
    `/compare?all=1&runlist=${run.run_id}`,
    `/artifacts?name=data`,
  ]) {
    await visit(page, address);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await expect(page.getByText("onerror").first(), address).toBeAttached();
    await isInert(page);
  }
  // What follows a name is behind it, and not within.
  const made = page.getByRole("row", { name: run.display_name }).getByRole("cell").filter({ hasText: " in " });
  const task = await made.getByRole("link").boundingBox();
  const rest = await made.getByText(/^ in /).boundingBox();
  expect(rest?.x).toBeGreaterThanOrEqual((task?.x ?? 0) + (task?.width ?? 0) - 1);
  await visit(page, `/pipelines/details/${pipeline}`);
  expect(await page.getByRole("combobox", { name: "Version" }).locator("option").allTextContents()).toEqual([
    expect.not.stringContaining("\u202e"),
  ]);
  await visit(page, `/runs/new?cloneFromRun=${run.run_id}`);
  const code = page.getByRole("tabpanel", { name: "Code" });
  await expect(code).toContainText("\\u202e");
  await expect(code).not.toContainText("\u202e");
});

test("T-14 I-32: hostile artifacts are shown, and do nothing", async ({ page }) => {
  const run = await shown();
  const { artifacts = [] } = await api<{ artifacts?: { artifact_id: string; name: string }[] }>(
    `apis/penstock/v1/artifacts?run_id=${run.run_id}`,
  );
  for (const { artifact_id: id, name } of artifacts) {
    await visit(page, `/artifacts/${id}`);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText(name);
    await expect(page.getByRole("region", { name: "Preview" })).not.toContainText("Reading");
    await isInert(page);
    if (name === "html") {
      // It may run its own scripts in its frame, and reaches nothing around it or on the server.
      const frame = page.frameLocator("iframe");
      await expect(frame.locator("#said")).toHaveText("script ran");
      await expect(page).toHaveTitle(/Penstock/);
    }
    if (name === "notes") {
      await expect(page.getByRole("heading", { name: "Prepared" })).toBeVisible();
      await expect(page.getByText("Image not shown: x", { exact: true })).toBeVisible();
      expect(await page.locator("a[href^='javascript']").count()).toBe(0);
    }
  }
});

test("I-14: what tasks print is text, but for colours", async ({ page }) => {
  const run = await shown();
  await visit(page, `/runs/details/${run.run_id}?view=table&task=talk&tab=logs`);
  await expect(page.getByText("<script>window.pwned='log'</script>")).toBeVisible();
  await expect(page.getByText("green and bold", { exact: true })).toBeVisible();
  expect(await page.locator("a[href^='javascript']").count()).toBe(0);
  await isInert(page);
});
