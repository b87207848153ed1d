import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loop } from "../bench/pipelines";
import type { Run } from "../src/api/kfp";
import { api, ended, expect, finished, fresh, succeeded, test, upload, visit } from "./site";

const graph = (page: import("@playwright/test").Page) => page.getByRole("region", { name: /^Graph of tasks/ });

/** Tenths of a second that a run goes on for, so that a page that opens slowly finds it going on. */
const LONG = 150;

/** Iterations of a loop. */
const MANY = 3_000;

async function showcase(parameters: Record<string, number>): Promise<Run> {
  const pipeline = await upload("showcase", readFileSync(join(import.meta.dirname, "pipelines/showcase.yaml")));
  return api<Run>("apis/v2beta1/runs", {
    display_name: fresh("showcase"),
    pipeline_version_reference: { pipeline_id: pipeline.pipeline_id },
    runtime_config: { parameters },
  });
}

test("a run is watched while it goes on, without a reload", async ({ page }) => {
  const run = await showcase({ lines: LONG, pause: 0.1 });
  await visit(page, `/runs/details/${run.run_id}`);
  await expect(
    graph(page)
      .getByRole("button", { name: /talk.*Running/i })
      .first(),
  ).toBeVisible();
  await expect(
    graph(page)
      .getByRole("button", { name: /prepare.*(Succeeded|Cached)/i })
      .first(),
  ).toBeVisible();
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Succeeded", { timeout: 120_000 });
});

test("a log is followed while it is written, and is the same afterwards", async ({ page }) => {
  const run = await showcase({ lines: LONG, pause: 0.1 });
  await visit(page, `/runs/details/${run.run_id}?view=table&task=talk&tab=logs`);
  const log = page.getByRole("region", { name: /^Log of talk/ });
  // Whichever lines there are when it is looked at: the newest are shown.
  await expect(log.getByText(/^line \d+$/).first()).toBeVisible();
  await expect(log.getByText("last words")).toBeVisible({ timeout: 120_000 });
  await page.reload();
  await expect(log.getByText("line 1", { exact: true })).toBeVisible();
  await log.press("End");
  await expect(log.getByText("last words")).toBeVisible();
  const search = page.getByRole("searchbox", { name: "Search the log" }).or(page.getByLabel("Search the log"));
  await search.first().fill("line 17");
  await page.getByRole("button", { name: /^Next hit/ }).click();
  await expect(log.getByText("line 17", { exact: true })).toBeVisible();
});

test("a failed task says why, and a run goes on from a task", async ({ page }) => {
  const run = await finished("failure");
  await visit(page, `/runs/details/${run.run_id}?view=table&task=validate`);
  const panel = page.getByRole("complementary", { name: /validate/ });
  await expect(panel).toContainText("exited with code 1");
  // The first version of a pipeline has its name, which is said once.
  const facts = page.getByRole("term").filter({ hasText: /^Pipeline$/ });
  await expect(facts.locator("xpath=following-sibling::dd").getByRole("link")).toHaveCount(1);
  await panel.getByRole("link", { name: "Show the log" }).click();
  await expect(panel.getByRole("tabpanel")).toBeFocused();
  const line = panel.locator("[data-line]").filter({ hasText: /the dataset is empty/ });
  await expect(line.first()).toBeVisible();
  // The number of a line has as much room as it needs.
  expect((await line.first().locator("[aria-hidden]").boundingBox())?.width).toBeLessThan(50);
  await panel.getByRole("button", { name: /Retry from here/ }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: /Retry/ }).click();
  await expect(dialog).toBeHidden();
  await panel.getByRole("tab", { name: /Attempts/ }).click();
  await expect(panel.getByText(/attempt 2/i).first()).toBeVisible();
  await expect(panel.getByText("The task's own program failed").first()).toBeVisible();
  await expect(panel.getByRole("term").filter({ hasText: "program failed" })).toHaveCount(0);
  await page.getByRole("button", { name: "Retry failed tasks" }).click();
  await expect(panel.getByText(/attempt 3/i).first()).toBeVisible();
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await ended(run.run_id);
});

test("the views share what is chosen, and the address keeps it", async ({ page }) => {
  const run = await finished("hello");
  await visit(page, `/runs/details/${run.run_id}`);
  await graph(page)
    .getByRole("button", { name: /^prepare/ })
    .first()
    .click();
  await expect(page).toHaveURL(/task=prepare/);
  await expect(page.getByRole("complementary", { name: /prepare/ })).toBeVisible();
  await page.keyboard.press("3");
  await expect(page).toHaveURL(/view=table/);
  await expect(page.getByRole("table", { name: "Tasks" }).locator("[aria-current]")).toContainText("prepare");
  await page.reload();
  await expect(page.getByRole("table", { name: "Tasks" }).locator("[aria-current]")).toContainText("prepare");
  await expect(page.getByRole("complementary", { name: /prepare/ })).toBeVisible();
  await page.keyboard.press("2");
  await expect(page.getByRole("slider", { name: "Instant that is shown" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page).not.toHaveURL(/task=/);
});

test("the timeline shows the run as it was", async ({ page }) => {
  const run = await finished("hello");
  await visit(page, `/runs/details/${run.run_id}?view=timeline`);
  const slider = page.getByRole("slider", { name: "Instant that is shown" });
  await slider.focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("1");
  await expect(
    graph(page)
      .getByRole("button", { name: /choose.*Waiting/i })
      .first(),
  ).toBeVisible();
  // Beside a task there is room for time.
  for (const width of [1024, 800]) {
    await page.setViewportSize({ width, height: 900 });
    await visit(page, `/runs/details/${run.run_id}?view=timeline&task=prepare`);
    const axis = page.getByRole("group", { name: /^Time axis/ });
    await expect(axis).toBeVisible();
    const task = page.getByRole("complementary", { name: /prepare/ });
    await expect(task).toBeVisible();
    const [time, beside] = await Promise.all([axis.boundingBox(), task.boundingBox()]);
    expect(time?.width).toBeGreaterThan(200);
    expect((time?.x ?? 0) + (time?.width ?? 0)).toBeLessThanOrEqual(beside?.x ?? 0);
    const tabs = task.getByRole("tablist");
    expect(await tabs.evaluate((it) => it.scrollWidth - it.clientWidth)).toBe(0);
  }
});

test("a loop is one box whose iterations are picked", async ({ page }) => {
  const run = await finished("hello");
  await visit(page, `/runs/details/${run.run_id}?task=for-loop-2`);
  const panel = page.getByRole("complementary", { name: /for-loop-2/ });
  await expect(panel).toContainText("3 iterations");
  await panel
    .getByRole("link", { name: "Iteration 1" })
    .or(panel.getByRole("button", { name: "Iteration 1" }))
    .first()
    .click();
  await expect(page).toHaveURL(/task=for-loop-2(%5B|\[)1(%5D|\])/);
});

test("a run is stopped", async ({ page }) => {
  const slow = await showcase({ lines: 6 * LONG, pause: 0.1 });
  await visit(page, `/runs/details/${slow.run_id}`);
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Stop" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Stopped");
});

test("what is chosen in the graph stays in sight, and keys go on from it", async ({ page }) => {
  const run = await finished("hello");
  await visit(page, `/runs/details/${run.run_id}`);
  const box = graph(page).getByRole("button", { name: /^choose\b/ });
  await expect(box).toBeVisible();
  const frame = await graph(page).boundingBox();
  const at = await box.boundingBox();
  if (!frame || !at) {
    throw new Error("the graph is not drawn");
  }
  // Pushed to the right edge, where the panel will be.
  await page.mouse.move(frame.x + 20, frame.y + frame.height - 20);
  await page.mouse.down();
  await page.mouse.move(frame.x + 20 + (frame.x + frame.width - at.x - at.width - 8), frame.y + frame.height - 20, {
    steps: 5,
  });
  await page.mouse.up();
  await box.focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("complementary", { name: "Task choose" })).toBeVisible();
  await expect(box).toBeInViewport({ ratio: 1 });
  await expect(box).toBeFocused();
  await page.keyboard.press("ArrowUp");
  await expect(box).not.toBeFocused();
  await expect(graph(page).getByRole("button").and(page.locator(":focus"))).toBeVisible();
});

test("groups and loops are opened, the critical path is marked, tasks in loops are found", async ({ page }) => {
  const run = await finished("hello");
  await visit(page, `/runs/details/${run.run_id}?open=none`);
  const field = page.getByRole("searchbox", { name: "Find a task" });
  const inLoop = graph(page).getByRole("button", { name: /^train\b/ });
  await expect(graph(page).getByRole("button").first()).toBeVisible();
  await page.getByRole("button", { name: "Expand all" }).click();
  await expect(inLoop).toBeVisible();
  await graph(page).getByRole("button", { name: "Close for-loop-2" }).click();
  await expect(inLoop).toBeHidden();
  const path = page.getByRole("button", { name: "Critical path" });
  await path.click();
  await expect(path).toHaveAttribute("aria-pressed", "true");
  await expect(graph(page).locator("[data-critical]").filter({ hasText: "prepare" })).toBeVisible();
  await page.reload();
  await expect(graph(page).locator("[data-critical]").filter({ hasText: "prepare" })).toBeVisible();
  await path.click();
  await expect(graph(page).locator("[data-critical]")).toHaveCount(0);
  await page.getByRole("button", { name: "Collapse all" }).click();
  await expect(inLoop).toBeHidden();
  await field.fill("train");
  await field.press("Enter");
  await expect(graph(page).getByRole("button", { name: /^train\b/ })).toBeVisible();
});

test("a loop of very many iterations is one body, and any of them can be gone to", async ({ page }) => {
  const pipeline = await upload("loop", loop(MANY));
  const { run_id } = await api<Run>("apis/v2beta1/runs", {
    display_name: fresh("loop"),
    pipeline_version_reference: { pipeline_id: pipeline.pipeline_id },
  });
  await succeeded(run_id);
  await visit(page, `/runs/details/${run_id}`);
  await expect(graph(page).getByRole("button", { name: /^for-loop-2.*3000 iterations/ })).toBeVisible();
  await page.getByRole("button", { name: "Expand all" }).click();
  await expect(graph(page).getByRole("button", { name: /^work\b/ })).toHaveCount(1);
  await graph(page).getByRole("button", { name: "Iterations", exact: true }).click();
  const list = page.getByRole("listbox", { name: "Iterations" });
  await expect(list.getByRole("option").first()).toBeVisible();
  // As many rows as are seen, and not one for each iteration.
  expect(await list.getByRole("option").count()).toBeLessThan(60);
  const number = page.getByRole("textbox", { name: `Number of an iteration, from 0 to ${MANY - 1}` });
  await number.fill(`${MANY - 1}`);
  await number.press("Enter");
  await expect(graph(page).getByRole("button", { name: /^work.*Skipped/ })).toBeVisible();
  await expect(page).toHaveURL(/iterations=for-loop-2%5B2999%5D/);
  await visit(page, `/runs/details/${run_id}?view=table&task=for-loop-2`);
  await expect(page.getByRole("complementary", { name: /for-loop-2/ })).toContainText("3,000 iterations");
});
