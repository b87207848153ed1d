/** T-14, I-14, I-32: what users store, print and name is data. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import type { Run } from "../src/api/kfp";
import { api, expect, fresh, sample, succeeded, test, upload, visit } from "./site";

test.use({ mayBlock: true });

const showcase = () => readFileSync(join(import.meta.dirname, "pipelines/showcase.yaml"));

const HOSTILE = `"><img src=x onerror="window.pwned='name'"><script>window.pwned='script'</script> \u202e{{7*7}} ${"w".repeat(60)}`;

async function isInert(page: Page) {
  // An image that fails to load would have run by now.
  await page.waitForTimeout(300);
  expect(await page.evaluate(() => (window as unknown as { pwned?: string }).pwned)).toBeUndefined();
  expect(await page.locator("img[src=x]").count()).toBe(0);
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
