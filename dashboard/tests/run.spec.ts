import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Run } from "../src/api/kfp";
import { api, expect, finished, fresh, test, upload, visit } from "./site";

const graph = (page: import("@playwright/test").Page) => page.getByRole("region", { name: /^Graph of tasks/ });

/** Tenths of a second that a run goes on for, so that a page that opens slowly finds it going on. */
const LONG = 150;

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
  await panel.getByRole("tab", { name: /Logs/ }).click();
  await expect(panel.getByText(/the dataset is empty/).first()).toBeVisible();
  await panel.getByRole("button", { name: /Retry from here/ }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: /Retry/ }).click();
  await expect(dialog).toBeHidden();
  await panel.getByRole("tab", { name: /Attempts/ }).click();
  await expect(panel.getByText(/attempt 2/i).first()).toBeVisible();
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
  await expect(page.getByRole("heading", { level: 1 })).toContainText(/Stopped|Failed/);
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

test("a task in a loop is found in the graph", async ({ page }) => {
  const run = await finished("hello");
  await visit(page, `/runs/details/${run.run_id}?open=none`);
  const field = page.getByRole("searchbox", { name: "Find a task" });
  await expect(graph(page).getByRole("button").first()).toBeVisible();
  await field.fill("train");
  await field.press("Enter");
  await expect(graph(page).getByRole("button", { name: /^train\b/ })).toBeVisible();
});
