import type { RecurringRun } from "../src/api/kfp";
import { api, expect, fresh, sample, test, upload, visit } from "./site";

test("a run is started from the form, which says what is wrong first", async ({ page }) => {
  const pipeline = await upload("hello", sample("hello"));
  await visit(page, `/runs/new?pipelineId=${pipeline.pipeline_id}`);
  const rows = page.getByRole("textbox", { name: "rows" });
  await rows.fill("many");
  await expect(page.getByText("A whole number")).toBeVisible();
  await page.getByRole("button", { name: "Start the run" }).click();
  await expect(rows).toBeFocused();
  await rows.fill("12");
  await expect(page.getByRole("tabpanel", { name: "Code" })).toContainText('"rows": 12');
  const name = fresh("from the form");
  await page.getByRole("textbox", { name: "Name", exact: true }).fill(name);
  await page.getByRole("button", { name: "Start the run" }).click();
  await expect(page).toHaveURL(/runs\/details\//);
  await expect(page.getByRole("heading", { level: 1 })).toContainText(name);
  await expect(page.getByText("Succeeded").first()).toBeVisible({ timeout: 120_000 });
});

test("a pipeline is uploaded by its file, and its graph is there before any run", async ({ page }) => {
  const name = fresh("uploaded");
  await visit(page, "/pipelines");
  await page.getByRole("button", { name: "Upload a pipeline" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("File").setInputFiles({ name: "hello.yaml", mimeType: "text/yaml", buffer: sample("hello") });
  await dialog.getByRole("textbox", { name: "Name" }).fill(name);
  await dialog.getByRole("button", { name: "Upload" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(name);
  await expect(page.getByRole("tabpanel")).toContainText("prepare");
});

test("what is no pipeline is refused with the server's reason", async ({ page }) => {
  await visit(page, "/pipelines?upload=1");
  const dialog = page.getByRole("dialog");
  await dialog
    .getByLabel("File")
    .setInputFiles({ name: "bad.yaml", mimeType: "text/yaml", buffer: Buffer.from("a: [") });
  await dialog.getByRole("button", { name: "Upload" }).click();
  await expect(dialog.getByRole("alert")).toContainText("The pipeline was not taken");
});

test("a schedule is made, shows its next times, is paused and run now", async ({ page }) => {
  const pipeline = await upload("if_elif_else", sample("if_elif_else"));
  const name = fresh("every night");
  await visit(page, `/recurringruns/new?pipelineId=${pipeline.pipeline_id}`);
  await page.getByRole("textbox", { name: "Name", exact: false }).first().fill(name);
  const cron = page.getByRole("textbox", { name: /Cron expression/ });
  await cron.fill("0 0 99 * * *");
  await expect(page.getByText(/Schedule cron|cron/i).last()).toBeVisible();
  await cron.fill("0 30 2 * * *");
  await expect(page.getByRole("table", { name: "Next times" }).getByRole("row")).toHaveCount(6);
  await page.getByRole("button", { name: "Create" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(name);
  await expect(page.getByText("every day at 02:30")).toBeVisible();
  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.getByText("Paused", { exact: true })).toBeVisible();
  await page.getByRole("button", { name: "Run now" }).click();
  await expect(page).toHaveURL(/runs\/details\//);
  const { recurringRuns = [] } = await api<{ recurringRuns?: RecurringRun[] }>(
    "apis/v2beta1/recurringruns?page_size=200",
  );
  expect(recurringRuns.find((it) => it.display_name === name)?.mode).toBe("DISABLE");
});
