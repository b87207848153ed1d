import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import type { Experiment, Run } from "../src/api/kfp";
import { api, ended, expect, finished, fresh, home, sample, test, upload, visit } from "./site";

const SHOWCASE = readFileSync(join(import.meta.dirname, "pipelines/showcase.yaml"));

test("runs are listed, narrowed and sorted, and the address keeps it", async ({ page }) => {
  const failed = await finished("failure", { title: fresh("list-failed") });
  const fine = await finished("if_elif_else", { title: fresh("list-fine") });
  await visit(page, "/runs");
  await expect(page.getByRole("link", { name: failed.display_name })).toBeVisible();
  await page.getByRole("searchbox", { name: "Part of the name" }).fill("list-");
  await page.getByRole("button", { name: "Failed", exact: true }).click();
  await expect(page.getByRole("link", { name: fine.display_name })).toBeHidden();
  await expect(page.getByRole("link", { name: failed.display_name })).toBeVisible();
  await page.getByRole("button", { name: "Name" }).click();
  await expect(page).toHaveURL(/name=list-.*state=FAILED|state=FAILED.*name=list-/);
  await expect(page).toHaveURL(/sort=name/);
  await page.reload();
  await expect(page.getByRole("button", { name: "Failed", exact: true })).toHaveAttribute("aria-pressed", "true");
  await expect(page.getByRole("link", { name: failed.display_name })).toBeVisible();
  await expect(page.getByRole("link", { name: fine.display_name })).toBeHidden();
});

/** Two runs that go on for longer than it takes to stop them. */
async function twoThatGoOn(name: string): Promise<Run[]> {
  const { pipeline_id } = await upload("showcase", SHOWCASE, `${name} pipeline`);
  const start = (word: string) =>
    api<Run>("apis/v2beta1/runs", {
      display_name: `${name} ${word}`,
      pipeline_version_reference: { pipeline_id },
      runtime_config: { parameters: { lines: 3000, pause: 0.1 } },
    });
  return [await start("a"), await start("b")];
}

test("many runs are stopped, archived, restored and deleted at a time", async ({ page }) => {
  const name = fresh("bulk");
  const runs = await twoThatGoOn(name);
  await visit(page, `/runs?name=${encodeURIComponent(name)}`);
  await expect(page.getByRole("row", { name: /Running/ })).toHaveCount(2);
  await page.getByRole("checkbox", { name: "Choose all that are loaded" }).check();
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await expect(page.getByRole("dialog")).toContainText("Stop 2 runs?");
  await page.getByRole("dialog").getByRole("button", { name: "Stop" }).click();
  await expect(page.getByRole("row", { name: /Stopped/ })).toHaveCount(2);
  // They are told from those that failed.
  await page.getByRole("button", { name: "Failed", exact: true }).click();
  await expect(page.getByText("No run is like that")).toBeVisible();
  await page.getByRole("button", { name: "Failed", exact: true }).click();
  await page.getByRole("button", { name: "Stopped", exact: true }).click();
  await expect(page).toHaveURL(/state=CANCELED/);
  await expect(page.getByRole("row", { name: /Stopped/ })).toHaveCount(2);
  await page.getByRole("checkbox", { name: "Choose all that are loaded" }).check();
  await page.getByRole("button", { name: "Archive" }).click();
  await expect(page.getByRole("dialog")).toContainText("Archive 2 runs?");
  await page.getByRole("dialog").getByRole("button", { name: "Archive" }).click();
  await expect(page.getByText("No run is like that")).toBeVisible();
  await page.getByRole("checkbox", { name: "Archived" }).click();
  for (const run of runs) {
    await expect(page.getByRole("link", { name: run.display_name })).toBeVisible();
  }
  await page.getByRole("checkbox", { name: `Choose ${runs[0]?.display_name}` }).check();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("link", { name: runs[0]?.display_name ?? "" })).toBeHidden();
  await expect(page.getByRole("link", { name: runs[1]?.display_name ?? "" })).toBeVisible();
});

test("the list follows what happens, without being asked", async ({ page }) => {
  const name = fresh("live");
  await visit(page, `/runs?name=${encodeURIComponent(name)}`);
  await expect(page.getByText("No run is like that")).toBeVisible();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  await finished("if_elif_else", { title: name });
  await expect(page.getByRole("row", { name: new RegExp(name) })).toContainText("Succeeded");
});

test("runs are compared, differences first", async ({ page }) => {
  const name = fresh("compare");
  await finished("hello", { title: `${name} a`, parameters: { rows: 10 } });
  await finished("hello", { title: `${name} b`, parameters: { rows: 30 } });
  await visit(page, `/runs?name=${encodeURIComponent(name)}`);
  await expect(page.getByRole("row")).toHaveCount(3);
  await page.getByRole("checkbox", { name: "Choose all that are loaded" }).check();
  await page.getByRole("link", { name: "Compare", exact: true }).click();
  const parameters = page.getByRole("table", { name: "Parameters" });
  await expect(parameters.getByRole("row", { name: /rows/ })).toContainText("30");
  const metrics = page.getByRole("table", { name: "Metrics" });
  await expect(metrics.getByRole("row", { name: /rows/ })).toContainText("most");
  await expect(metrics).not.toContainText("loss");
  await page.getByRole("checkbox", { name: "Differences only" }).click();
  await expect(metrics).toContainText("loss");
});

/** Two runs of a pipeline that has a tag, whose accuracy follows from their rate. */
async function ofTwoRates(name: string) {
  const pipeline = await upload("showcase", SHOWCASE, `${name} pipeline`);
  const tagged = await fetch(`${home()}apis/v2beta1/pipelines/${pipeline.pipeline_id}`, {
    method: "PATCH",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ tags: { team: name } }),
  });
  expect(tagged.status).toBe(200);
  const runs: Run[] = [];
  for (const rate of [0.2, 0.8]) {
    const { run_id } = await api<Run>("apis/v2beta1/runs", {
      display_name: `${name} at ${rate}`,
      pipeline_version_reference: { pipeline_id: pipeline.pipeline_id },
      runtime_config: { parameters: { rate, lines: 1 } },
    });
    runs.push(await ended(run_id));
  }
  return { pipeline, tag: name, slow: `${name} at 0.2`, fast: `${name} at 0.8` };
}

async function addFilter(page: Page, kind: string, answers: Record<string, string>) {
  const adding = page.locator("details", { hasText: "Filter" }).first();
  await adding.getByText("Filter", { exact: true }).click();
  await adding.getByRole("button", { name: kind, exact: true }).click();
  for (const [label, answer] of Object.entries(answers)) {
    const field = adding.getByLabel(label);
    if (label === "Compared") {
      await field.selectOption(answer);
    } else {
      await field.fill(answer);
    }
  }
  await adding.getByRole("button", { name: "Add", exact: true }).click();
}

test("runs are found by parameters, metrics, tags and pipeline, and the address keeps it", async ({ page }) => {
  const { pipeline, tag, slow, fast } = await ofTwoRates(fresh("values"));
  const link = (name: string) => page.getByRole("link", { name, exact: true });
  await visit(page, `/runs?pipeline=${pipeline.pipeline_id}`);
  await expect(link(slow)).toBeVisible();
  await expect(link(fast)).toBeVisible();
  await expect(page.getByText(`Pipeline: ${pipeline.display_name}`)).toBeVisible();

  await addFilter(page, "Parameter", { Name: "rate", Compared: ">", Value: "0.5" });
  await expect(link(slow)).toBeHidden();
  await expect(link(fast)).toBeVisible();
  await expect(page.getByText("1 run", { exact: true })).toBeVisible();
  await page.reload();
  await expect(link(fast)).toBeVisible();
  await expect(link(slow)).toBeHidden();
  await page.getByRole("button", { name: "Without rate > 0.5" }).click();
  await expect(link(slow)).toBeVisible();

  await addFilter(page, "Metric", { Name: "accuracy", Compared: "<=", Value: "0.92" });
  await expect(link(fast)).toBeHidden();
  await expect(link(slow)).toBeVisible();
  await expect(page).toHaveURL(/where=metrics\.accuracy%3C%3D0\.92/);
  await page.getByRole("button", { name: "Clear" }).click();

  await addFilter(page, "Tag", { "Tag of the pipeline or version": "team", Value: tag });
  await expect(link(slow)).toBeVisible();
  await expect(link(fast)).toBeVisible();
  await expect(page.getByText("2 runs", { exact: true })).toBeVisible();
});

test("on a narrow page names have the room, and nothing lies off the edge", async ({ page }) => {
  const run = await finished("if_elif_else", { title: fresh("a name that people read") });
  await page.setViewportSize({ width: 900, height: 800 });
  await visit(page, `/runs?name=${encodeURIComponent(run.display_name)}`);
  const link = page.getByRole("link", { name: run.display_name });
  await expect(link).toBeVisible();
  const table = page.getByRole("table", { name: "Runs" });
  await expect(table.getByRole("columnheader", { name: "Created" })).toBeVisible();
  await expect(table.getByRole("columnheader", { name: "Experiment" })).toBeHidden();
  const isWhole = (element: HTMLElement | SVGElement) => element.scrollWidth <= element.clientWidth;
  expect(await table.locator("..").evaluate(isWhole)).toBe(true);
  expect(await link.evaluate(isWhole)).toBe(true);
  await page.setViewportSize({ width: 1440, height: 900 });
  await expect(table.getByRole("columnheader", { name: "Experiment" })).toBeVisible();
  await finished("hello");
  await visit(page, "/artifacts");
  const artifacts = page.getByRole("table", { name: "Artifacts" });
  for (const width of [1280, 1366]) {
    await page.setViewportSize({ width, height: 800 });
    await expect(artifacts.getByRole("columnheader", { name: "Created" })).toBeVisible();
    await expect.poll(() => artifacts.locator("..").evaluate(isWhole)).toBe(true);
    const [first, last] = [page.getByLabel("Type"), page.getByRole("searchbox", { name: "Metadata" })];
    expect((await last.boundingBox())?.y).toBe((await first.boundingBox())?.y);
  }
});

test("home says when a run failed, why, and how long it ran", async ({ page }) => {
  const run = await finished("failure", { title: fresh("home-failed") });
  await visit(page, "/");
  const row = page.getByRole("region", { name: "Failed lately" }).getByRole("listitem");
  await expect(row.filter({ hasText: run.display_name })).toContainText(/ended (just now|\d+ min ago)/);
  await expect(row.filter({ hasText: run.display_name }).getByText(/^\w*Error: 0 rows/)).toHaveAttribute(
    "title",
    /exited with code 1/,
  );
  const started = run.state_history?.find((it) => it.state === "RUNNING")?.update_time ?? "";
  const seconds = (Date.parse(run.finished_at) - Date.parse(started)) / 1000;
  await expect(row.filter({ hasText: run.display_name })).toContainText(seconds < 1 ? "< 1 s" : `${seconds} s`);
});

test("runs are narrowed to an experiment by its name, and the address keeps it", async ({ page }) => {
  const name = fresh("by experiment");
  const pipeline = await upload("if_elif_else", sample("if_elif_else"));
  const made: Run[] = [];
  for (const word of ["one", "two"]) {
    const experiment = await api<Experiment>("apis/v2beta1/experiments", { display_name: `${name} ${word}` });
    const { run_id } = await api<Run>("apis/v2beta1/runs", {
      display_name: `${name} run ${word}`,
      experiment_id: experiment.experiment_id,
      pipeline_version_reference: { pipeline_id: pipeline.pipeline_id },
    });
    made.push(await ended(run_id));
  }
  const link = (word: string) => page.getByRole("link", { name: `${name} run ${word}`, exact: true });
  await visit(page, "/runs");
  const adding = page.locator("details", { hasText: "Filter" }).first();
  await adding.getByText("Filter", { exact: true }).click();
  await adding.getByRole("button", { name: "Experiment", exact: true }).click();
  await adding.getByRole("combobox", { name: "Experiment" }).fill(`${name} two`);
  await adding.getByRole("option", { name: `${name} two` }).click();
  await expect(page.getByText(`Experiment: ${name} two`)).toBeVisible();
  await expect(page).toHaveURL(new RegExp(`experiment=${made[1]?.experiment_id}`));
  await expect(link("two")).toBeVisible();
  await expect(link("one")).toBeHidden();
  await page.reload();
  await expect(link("two")).toBeVisible();
  await expect(link("one")).toBeHidden();
  await page.getByRole("button", { name: "Of any experiment" }).click();
  await expect(link("one")).toBeVisible();
});

test("a condition that cannot be is refused where it is made", async ({ page }) => {
  await visit(page, "/runs");
  await addFilter(page, "Parameter", { Name: "rate", Compared: "<", Value: "low" });
  await expect(page.getByText("Only numbers are less or greater")).toBeVisible();
  await expect(page).not.toHaveURL(/where=/);
});

test("parameters and metrics have columns, which runs are sorted by", async ({ page }) => {
  const { pipeline, slow, fast } = await ofTwoRates(fresh("columns"));
  await visit(page, `/runs?pipeline=${pipeline.pipeline_id}`);
  await page.getByText("Columns", { exact: true }).click();
  await page.getByRole("checkbox", { name: "accuracy" }).check();
  await page.getByRole("checkbox", { name: "rate" }).check();
  await page.getByText("Columns", { exact: true }).click();
  const row = (name: string) => page.getByRole("row", { name: new RegExp(name) });
  await expect(row(slow)).toContainText("0.92");
  await expect(row(fast)).toContainText("0.98");
  await expect(page).toHaveURL(/column=metrics\.accuracy/);
  // The greatest comes first.
  await page.getByRole("button", { name: "accuracy" }).click();
  await expect(page.getByText("2 runs with a number for accuracy")).toBeVisible();
  const first = page.getByRole("table", { name: "Runs" }).locator("tbody tr").first();
  await expect(first).toContainText(fast);
  await page.getByRole("button", { name: "accuracy" }).click();
  await expect(first).toContainText(slow);
  await page.reload();
  await expect(first).toContainText(slow);
  await expect(page.getByRole("columnheader", { name: "rate" })).toBeVisible();
});
