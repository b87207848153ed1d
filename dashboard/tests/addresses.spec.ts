import type { Page } from "@playwright/test";
import type { Experiment } from "../src/api/kfp";
import type { Artifact } from "../src/api/penstock";
import { api, expect, finished, sample, submit, test, upload, visit } from "./site";

test("the addresses that KFP's SDK prints, and old ones, are right", async ({ page }) => {
  const run = await finished("hello");
  await visit(page, `/runs/details/${run.run_id}`);
  await expect(page.getByRole("heading", { level: 1 })).toContainText(run.display_name);
  await visit(page, `/experiments/details/${run.experiment_id}`);
  const experiment = await api<Experiment>(`apis/v2beta1/experiments/${run.experiment_id}`);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(experiment.display_name);
  const { pipeline_id: id, pipeline_version_id: version } = run.pipeline_version_reference ?? { pipeline_id: "" };
  for (const address of [
    `/pipelines/details/${id}`,
    `/pipelines/details/${id}/version/${version}`,
    `/pipeline_versions/new?pipelineId=${id}`,
    `/shared/pipelines/details/${id}`,
    `/shared/pipelines/details/${id}/version/${version}`,
    `/runs/details/${run.run_id}/execution/17`,
  ]) {
    await visit(page, address);
    await expect(page.getByRole("heading", { level: 1 })).toContainText("hello");
  }
  for (const [address, title] of [
    ["/start", "Home"],
    ["/archive/runs", "Archived runs"],
    ["/archive/experiments", "Archived experiments"],
    ["/shared/pipelines", "Pipelines"],
    ["/getting_started", "Home"],
    ["/experiments/new", "Experiments"],
    ["/pipeline_versions/new", "Pipelines"],
    ["/executions", "Runs"],
    ["/executions/17", "Runs"],
    [`/runs/new?experimentId=${run.experiment_id}`, "New run"],
    [`/runs/new?experimentId=${run.experiment_id}&recurring=1`, "New schedule"],
    ["/no/such/page", "No such page"],
  ] as const) {
    await visit(page, address);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText(title);
  }
  const { artifacts = [] } = await api<{ artifacts?: Artifact[] }>(`apis/penstock/v1/artifacts?run_id=${run.run_id}`);
  const artifact = artifacts[0]?.artifact_id ?? "";
  await visit(page, `/artifacts/${artifact}/lineage`);
  await expect(page.getByRole("region", { name: "Lineage graph" })).toBeVisible();
  await expect(page).toHaveURL(new RegExp(`#/artifacts/${artifact}$`));
});

test("what is not there is said, not shown as empty", async ({ page }) => {
  const nobody = "00000000-0000-4000-8000-000000000000";
  for (const address of [
    `/runs/details/${nobody}`,
    `/pipelines/details/${nobody}`,
    `/recurringrun/details/${nobody}`,
    `/artifacts/${nobody}`,
  ]) {
    await visit(page, address);
    await expect(page.locator("main")).toContainText(/not found|cannot be read|no such run/i);
    await expect(page.getByRole("link", { name: "Download" })).toHaveCount(0);
  }
});

test("an artifact is followed to what made it and to what came of it", async ({ page }) => {
  // A number of rows that no other run has: its artifacts are its own, and not from the cache.
  const run = await finished("hello", { parameters: { rows: 1000 + (Date.now() % 9000) } });
  await visit(page, "/artifacts?name=data");
  await page
    .getByRole("row", { name: new RegExp(run.display_name) })
    .getByRole("link", { name: "data" })
    .click();
  const lineage = page.getByRole("region", { name: "Lineage graph" });
  await expect(lineage.getByRole("link", { name: /train/ })).toHaveCount(3);
  await lineage.getByRole("link", { name: /prepare/ }).click();
  await expect(page).toHaveURL(new RegExp(`runs/details/${run.run_id}.*task=prepare`));
});

test("what was typed before a page is left does not lead back to it", async ({ page }) => {
  await visit(page, "/runs");
  const name = page.getByPlaceholder("Name contains");
  await expect(name).toBeVisible();
  // Both at once, as who clicks while the list still waits for more letters.
  await name.evaluate((field: HTMLInputElement) => {
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set?.call(field, "nothing");
    field.dispatchEvent(new Event("input", { bubbles: true }));
    location.hash = "#/pipelines";
  });
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Pipelines");
  await page.waitForTimeout(600);
  await expect(page).toHaveURL(/#\/pipelines$/);
});

/** Goes somewhere by two keys, which belong together where the second comes soon: again, where the page was too busy. */
async function go(page: Page, key: string, title: string) {
  await expect(async () => {
    await page.keyboard.press("g");
    await page.keyboard.press(key);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText(title, { timeout: 5_000 });
  }).toPass();
}

test("keys lead everywhere", async ({ page }) => {
  const run = await submit("if_elif_else");
  await visit(page, "/");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Home");
  await go(page, "p", "Pipelines");
  await page.keyboard.press("Control+k");
  await expect(page.getByRole("combobox", { name: "Search and commands" })).toBeFocused();
  await page.keyboard.type(run.display_name);
  // What Enter takes: the first, which another may have been before the server answered.
  await expect(page.getByRole("option", { selected: true })).toContainText(run.display_name);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toContainText(run.display_name);
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keys" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog", { name: "Keys" })).toBeHidden();
  await go(page, "r", "Runs");
  await expect(page.getByRole("row", { name: new RegExp(run.display_name) })).toBeVisible();
  // Other runs come in at the top meanwhile.
  await visit(page, `/runs?name=${encodeURIComponent(run.display_name)}`);
  await expect(page.getByRole("row")).toHaveCount(2);
  // Nothing in the list has the focus yet.
  expect(await page.evaluate(() => document.activeElement?.closest("[data-list]") ?? null)).toBeNull();
  await page.keyboard.press("j");
  await expect(page.getByRole("link", { name: run.display_name })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toContainText(run.display_name);
});

test("a theme is chosen and kept", async ({ page }) => {
  await visit(page, "/");
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await ground();
  await page.emulateMedia({ colorScheme: "light" });
  await expect.poll(ground).not.toBe(dark);
  await page.getByRole("button", { name: /Theme of the system/ }).click();
  await page.getByRole("button", { name: /Light theme/ }).click();
  await expect.poll(ground).toBe(dark);
  await page.reload();
  await expect(page.getByRole("button", { name: /Dark theme/ })).toBeVisible();
  await expect.poll(ground).toBe(dark);
});

test("pipelines are found by name", async ({ page }) => {
  const pipeline = await upload("hello", sample("hello"));
  await visit(page, "/pipelines");
  await page.getByRole("searchbox", { name: "Part of the name" }).fill(pipeline.display_name);
  await expect(page.getByRole("row")).toHaveCount(2);
});
