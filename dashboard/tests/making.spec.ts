import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import type { PipelineVersion, RecurringRun } from "../src/api/kfp";
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

test("a pipeline is uploaded by its file, and another version; their tasks are there before any run", async ({
  page,
}) => {
  const name = fresh("uploaded");
  await visit(page, "/pipelines");
  await page.getByRole("button", { name: "Upload a pipeline" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByLabel("File")).toBeFocused();
  await dialog.getByLabel("File").setInputFiles({ name: "hello.yaml", mimeType: "text/yaml", buffer: sample("hello") });
  await dialog.getByRole("textbox", { name: "Name" }).fill(name);
  await dialog.getByRole("button", { name: "Upload" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(name);
  await page.getByRole("button", { name: /^train, in for-loop-2/ }).click();
  const train = page.getByRole("complementary", { name: "Task for-loop-2[*]/train" });
  await expect(train).toContainText("python:3.11");
  await expect(train.getByRole("row", { name: /^rate/ })).toContainText("each of [0.01, 0.1, 0.4]");
  await expect(train.getByText("may take its results from there")).toBeVisible();
  const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag22aa"]).analyze();
  expect(violations.map((it) => `${it.id}: ${it.nodes.map((node) => node.html).join()}`)).toEqual([]);
  await train.getByRole("button", { name: "prepare · data" }).click();
  await expect(page.getByRole("complementary", { name: "Task prepare" })).toContainText("the pipeline's input rows");
  await expect(train).toBeHidden();

  await page.getByRole("button", { name: "New version" }).click();
  await dialog
    .getByLabel("File")
    .setInputFiles({ name: "if.yaml", mimeType: "text/yaml", buffer: sample("if_elif_else") });
  await dialog.getByRole("textbox", { name: "Name" }).fill("with branches");
  await dialog.getByRole("textbox", { name: "Description" }).fill("of the second day");
  await dialog.getByRole("button", { name: "Upload", exact: true }).click();
  await expect(dialog).toBeHidden();
  await expect(page).toHaveURL(/version\//);
  await expect(page.getByRole("combobox", { name: "Version" }).locator("option")).toHaveText([
    /with branches/,
    new RegExp(name),
  ]);
  await expect(page.getByRole("button", { name: /^measure/ })).toBeVisible();
  const [, id, version] = /details\/([^/]+)\/version\/([^/?]+)/.exec(page.url()) ?? [];
  expect(await api<PipelineVersion>(`apis/v2beta1/pipelines/${id}/versions/${version}`)).toMatchObject({
    display_name: "with branches",
    description: "of the second day",
  });
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

test("a schedule is made of a form that keeps what is typed, shows its next times, is paused and run now", async ({
  page,
}) => {
  const pipeline = await upload("if_elif_else", sample("if_elif_else"));
  const name = fresh("every night");
  const title = page.getByRole("textbox", { name: /^Name/ });
  const cron = page.getByRole("textbox", { name: /Cron expression/ });
  const picked = page.getByRole("combobox", { name: /Pipeline/ });
  await visit(page, "/recurringruns/new");
  await page.getByRole("button", { name: "Create" }).click();
  await expect(page.getByText("Not complete yet: a pipeline, a name.")).toBeVisible();
  await expect(picked).toBeFocused();
  await picked.fill(pipeline.display_name);
  await page.getByRole("option", { name: pipeline.display_name }).click();
  await expect(page).toHaveURL(new RegExp(`pipelineId=${pipeline.pipeline_id}`));
  await title.fill(name);
  await cron.fill("0 0 99 * * *");
  await expect(page.getByText(/Schedule cron|cron/i).last()).toBeVisible();
  await cron.fill("0 30 2 * * *");
  await page.reload();
  await expect(title).toHaveValue(name);
  await expect(cron).toHaveValue("0 30 2 * * *");
  await expect(picked).toHaveValue(pipeline.display_name);
  await page.getByRole("link", { name: "Experiments" }).click();
  const asked = page.getByRole("dialog", { name: "Leave without making the schedule?" });
  await asked.getByRole("button", { name: "Cancel" }).click();
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
  const made = recurringRuns.find((it) => it.display_name === name);
  expect(made?.mode).toBe("DISABLE");
  await edited(page, made?.recurring_run_id ?? "", name);
});

/** A schedule that has made a run is changed, and has that run in its history. */
async function edited(page: Page, id: string, name: string) {
  await visit(page, `/recurringrun/details/${id}`);
  const history = page.getByRole("region", { name: "Runs", exact: true });
  await expect(history.getByRole("link", { name: /-now-/ })).toHaveCount(1);
  await page.getByRole("button", { name: "Edit" }).click();
  const title = page.getByRole("textbox", { name: /^Name/ });
  await title.fill(`${name} later`);
  await page.getByRole("textbox", { name: /Cron expression/ }).fill("0 0 4 * * *");
  await page.getByRole("combobox", { name: "Runs at a time" }).selectOption("3");
  await page.getByRole("combobox", { name: "Results from the cache" }).selectOption("off");
  await page.getByRole("button", { name: "Cancel" }).click();
  const asked = page.getByRole("dialog", { name: "Leave without saving?" });
  await asked.getByRole("button", { name: "Cancel" }).click();
  await page.reload();
  await expect(title).toHaveValue(`${name} later`);
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(`${name} later`);
  await expect(page.getByText("every day at 04:00")).toBeVisible();
  await expect(history.getByRole("link", { name: /-now-/ })).toHaveCount(1);
  expect(await api<RecurringRun>(`apis/v2beta1/recurringruns/${id}`)).toMatchObject({
    display_name: `${name} later`,
    max_concurrency: "3",
    mode: "DISABLE",
    plugins_input: { penstock: { enable_caching: false } },
    trigger: { cron_schedule: { cron: "0 0 4 * * *" } },
  });
}
