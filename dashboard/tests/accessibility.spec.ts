import { readFileSync } from "node:fs";
import { join } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import type { RecurringRun } from "../src/api/kfp";
import { api, ended, expect, finished, fresh, submit, test, upload, visit } from "./site";

// What the showcase puts out wants to run scripts.
test.use({ mayBlock: true });
test.setTimeout(300_000);

/** An address, and what is done there first. */
type State = [address: string, act?: (page: Page) => Promise<unknown>];

const NARROW = { width: 800, height: 800 };

/** No serious violation of WCAG 2.2 A or AA on the page as it stands. */
async function violations(page: Page, what: string): Promise<string[]> {
  const { violations: found } = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"])
    .analyze();
  return found
    .filter((it) => it.impact === "serious" || it.impact === "critical")
    .map((it) => `${what}: ${it.id}: ${it.nodes.map((node) => node.html.slice(0, 200)).join("\n    ")}`);
}

/** Each state once light and wide, once dark and narrow: contrast is a theme's, and room a width's. */
async function areAccessible(page: Page, states: readonly State[], narrow = NARROW) {
  const found: string[] = [];
  for (const [address, act] of states) {
    await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
    await page.setViewportSize({ width: 1440, height: 900 });
    await visit(page, address);
    // What an artifact says may have headings of its own.
    await expect(page.getByRole("heading", { level: 1 }).first()).toBeVisible();
    await act?.(page);
    // What is still being read has no content to be judged.
    const reading = page.getByText(/^(Loading|Reading|Drawing|Following|Listing|Asking)/);
    await expect(reading).toHaveCount(0);
    const what = act ? `${address} (${act.name})` : address;
    found.push(...(await violations(page, `${what}, light, 1440`)));
    await page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
    await page.setViewportSize(narrow);
    await expect(reading).toHaveCount(0);
    found.push(...(await violations(page, `${what}, dark, narrow`)));
    // A window would stay above the next page.
    await page.keyboard.press("Escape");
    await expect(page.locator("dialog[open]")).toHaveCount(0);
  }
  expect(found).toEqual([]);
}

/** Runs whose names do not fit in a window that asks about them. */
const MANY = 12;

const palette = async (page: Page) => {
  await page.keyboard.press("Control+k");
  await page.keyboard.type("ru");
  await expect(page.getByRole("option").first()).toBeVisible();
};
const keys = async (page: Page) => {
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keys" })).toBeVisible();
};
const chosen = async (page: Page) => {
  await expect(page.getByRole("row")).toHaveCount(MANY + 1);
  await page.getByRole("checkbox", { name: "Choose all that are loaded" }).check();
};
const askedAboutMany = async (page: Page) => {
  await chosen(page);
  await page.getByRole("button", { name: "Archive" }).click();
  await expect(page.getByRole("dialog", { name: /Archive \d+ runs/ })).toBeVisible();
};
const filter = (page: Page) => page.getByText("Filter", { exact: true }).click();
const timestamps = async (page: Page) => {
  await page.getByRole("button", { name: "Timestamps" }).click();
  await expect(
    page
      .getByRole("region", { name: /^Log of/ })
      .locator("time")
      .first(),
  ).toBeVisible();
};
const mistaken = async (page: Page) => {
  await page.getByRole("textbox", { name: "rows" }).fill("many");
  await expect(page.getByText("A whole number")).toBeVisible();
};

test("lists and what opens above them are accessible", async ({ page }) => {
  const run = await finished("hello");
  const name = fresh("one of many");
  for (let count = 0; count < MANY; count += 1) {
    await api("apis/v2beta1/runs", {
      display_name: `${name} ${count}`,
      pipeline_version_reference: run.pipeline_version_reference,
    });
  }
  // Runs of other tests come in meanwhile, which would not be chosen.
  const many = `/runs?name=${encodeURIComponent(name)}`;
  await areAccessible(page, [
    ["/"],
    ["/", palette],
    ["/runs"],
    ["/runs", keys],
    ["/runs", filter],
    [many, chosen],
    [many, askedAboutMany],
    ["/pipelines"],
    ["/pipelines?upload=1"],
    ["/experiments"],
    ["/recurringruns"],
    ["/artifacts"],
    ["/system"],
    ["/nowhere"],
  ]);
});

test("pipelines, experiments and forms are accessible", async ({ page }) => {
  const run = await finished("hello");
  const { pipeline_id: pipeline = "" } = run.pipeline_version_reference ?? {};
  await areAccessible(page, [
    [`/pipelines/details/${pipeline}`],
    [`/pipelines/details/${pipeline}?view=about`],
    [`/pipelines/details/${pipeline}?view=source`],
    [`/experiments/details/${run.experiment_id}`],
    [`/recurringruns/new?pipelineId=${pipeline}`],
    // The last one, because it is not left without a question.
    [`/runs/new?pipelineId=${pipeline}`, mistaken],
  ]);
});

test("a run's views and a task's tabs are accessible", async ({ page }) => {
  const [run, failed] = await Promise.all([finished("hello"), finished("failure")]);
  const at = `/runs/details/${run.run_id}`;
  await areAccessible(page, [
    [at],
    [`${at}?task=for-loop-2&open=all`],
    [`${at}?view=timeline`],
    [`${at}?view=details`],
    [`${at}?view=table&task=prepare`],
    ...["values", "logs", "attempts", "details"].map((tab): State => [`${at}?view=table&task=prepare&tab=${tab}`]),
    [`/runs/details/${failed.run_id}`],
  ]);
  // With less height the panel scrolls, and cannot have the focus.
  await areAccessible(page, [[`/runs/details/${failed.run_id}?view=table&task=validate`]], {
    width: 800,
    height: 1200,
  });
});

test("artifacts, comparisons and schedules are accessible", async ({ page }) => {
  const text = readFileSync(join(import.meta.dirname, "pipelines/showcase.yaml"));
  const { pipeline_id: pipeline } = await upload("showcase", text);
  const { run_id: id } = await api<{ run_id: string }>("apis/v2beta1/runs", {
    display_name: fresh("showcase"),
    pipeline_version_reference: { pipeline_id: pipeline },
  });
  const other = await submit("visualisations");
  const schedule = await api<RecurringRun>("apis/v2beta1/recurringruns", {
    display_name: fresh("nightly"),
    max_concurrency: "1",
    mode: "DISABLE",
    trigger: { cron_schedule: { cron: "0 30 2 * * *" } },
    pipeline_version_reference: { pipeline_id: pipeline },
  });
  await Promise.all([ended(id), ended(other.run_id)]);
  const artifactsOf = async (run: string) =>
    (await api<{ artifacts?: { artifact_id: string }[] }>(`apis/penstock/v1/artifacts?run_id=${run}`)).artifacts ?? [];
  const artifacts = [...(await artifactsOf(id)), ...(await artifactsOf(other.run_id))];
  await areAccessible(page, [
    ...artifacts.map((it): State => [`/artifacts/${it.artifact_id}`]),
    [`/runs/details/${id}?view=table&task=talk&tab=logs`, timestamps],
    [`/compare?all=1&runlist=${id},${other.run_id}`],
    [`/recurringrun/details/${schedule.recurring_run_id}`],
    [`/recurringrun/details/${schedule.recurring_run_id}?edit=1`],
  ]);
});
