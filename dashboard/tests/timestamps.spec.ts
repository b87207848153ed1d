/** When the lines of a log were printed, as the page shows it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Locator, Page } from "@playwright/test";
import type { Run } from "../src/api/kfp";
import { api, ended, expect, fresh, test, upload, visit } from "./site";

const STAMP = /^(?:-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) /;
/** The clocks of what prints and of what looks are one, but files and rounding have their own grain. */
const GRAIN_MS = 1_000;

/** A run whose task `talk` prints so many lines, with seconds between them. */
async function talking(lines: number, pause: number): Promise<Run> {
  const pipeline = await upload("showcase", readFileSync(join(import.meta.dirname, "pipelines/showcase.yaml")));
  return api<Run>("apis/v2beta1/runs", {
    display_name: fresh("showcase"),
    pipeline_version_reference: { pipeline_id: pipeline.pipeline_id },
    runtime_config: { parameters: { lines, pause } },
  });
}

const address = (run: Run) => `/runs/details/${run.run_id}?view=table&task=talk&tab=logs`;
const logOf = (page: Page) => page.getByRole("region", { name: /^Log of talk/ });
const toggle = (page: Page) => page.getByRole("button", { name: "Timestamps" });
const download = (page: Page) => page.getByRole("link", { name: "Download", exact: true });

/** The rows that are drawn, from above, with the instants that they show; NaN where one shows none. */
const rows = (log: Locator) =>
  log.locator("[data-line]").evaluateAll((all) =>
    all.map((row) => ({
      line: Number(row.getAttribute("data-line")),
      at: Date.parse(row.querySelector("time")?.dateTime ?? ""),
    })),
  );

/** All rows that are drawn have a time of the run, and none is before that of the row above. */
async function areTimed(log: Locator, since: number) {
  await expect(async () => {
    const drawn = await rows(log);
    expect(drawn.length).toBeGreaterThan(3);
    let before = { line: -1, at: since - GRAIN_MS };
    for (const row of drawn) {
      expect(row.line).toBeGreaterThan(before.line);
      expect(row.at).toBeGreaterThanOrEqual(before.at);
      before = row;
    }
    expect(before.at).toBeLessThanOrEqual(Date.now() + GRAIN_MS);
  }).toPass({ timeout: 45_000 });
}

/** The first row that is seen, and where it is. */
const firstSeen = (log: Locator) =>
  log.evaluate((scroller) => {
    const top = scroller.getBoundingClientRect().top;
    const row = [...scroller.querySelectorAll("[data-line]")].find((it) => it.getBoundingClientRect().bottom > top + 1);
    return {
      line: Number(row?.getAttribute("data-line")),
      above: Math.round(top - (row?.getBoundingClientRect().top ?? 0)),
    };
  });

test("the log of a finished task shows when its lines were printed", async ({ page, request }) => {
  const since = Date.now();
  const run = await talking(300, 0);
  await ended(run.run_id);
  await visit(page, address(run));
  const log = logOf(page);
  await expect(log.getByText("line 1", { exact: true })).toBeVisible();
  await expect(log.locator("time")).toHaveCount(0);
  await expect(toggle(page)).toHaveAttribute("aria-pressed", "false");
  const plain = (await download(page).getAttribute("href")) ?? "";
  expect(plain).not.toContain("timestamps");

  await toggle(page).click();
  await areTimed(log, since);
  const first = log.locator("time").first();
  const at = (await first.getAttribute("datetime")) ?? "";
  const clock = new Date(at).toLocaleTimeString("en-GB", { timeZone: "Europe/Berlin" });
  await expect(first).toHaveText(new RegExp(`${clock}\\.\\d{3}$`));
  await expect(first).toHaveAttribute("title", new RegExp(` · ${at.replace("T", " ").replace("Z", " UTC")}$`));
  await expect(log.getByText("line 1", { exact: true })).toBeVisible();

  await page.reload();
  await expect(toggle(page)).toHaveAttribute("aria-pressed", "true");
  await areTimed(log, since);
  await log.press("End");
  await expect(log.getByText("last words")).toBeVisible();
  await areTimed(log, since);

  const stamped = (await download(page).getAttribute("href")) ?? "";
  expect(stamped).toMatch(/[?&]timestamps=true/);
  const linesOf = async (url: string) => (await (await request.get(url)).text()).replace(/\n$/, "").split("\n");
  const lines = await linesOf(stamped);
  expect(lines.filter((line) => !STAMP.test(line))).toEqual([]);
  expect(lines.map((line) => line.replace(STAMP, ""))).toEqual(await linesOf(plain));

  await toggle(page).click();
  await expect(log.locator("time")).toHaveCount(0);
  await expect(log.getByText("last words", { exact: true })).toBeVisible();
  await expect(download(page)).toHaveAttribute("href", plain);
});

test("times are not what is searched or selected", async ({ page }) => {
  const run = await talking(300, 0);
  await ended(run.run_id);
  await visit(page, address(run));
  const log = logOf(page);
  await expect(log.getByText("line 1", { exact: true })).toBeVisible();
  await toggle(page).click();
  const first = log.locator("time").first();
  await expect(first).toBeVisible();
  const field = page.getByRole("searchbox", { name: "Search the log" });
  const hits = page.getByRole("search").filter({ has: field });
  // To the minute, as the server has it in front of the line, and then as the page shows it.
  const at = (await first.getAttribute("datetime")) ?? "";
  for (const words of [at.slice(0, 16), at.slice(11), (await first.textContent()) ?? "", "no such words"]) {
    // What is said of these words is not what was said of others.
    await field.fill("line 17");
    await expect(hits).toContainText("11 lines");
    await field.fill(words);
    await expect(hits).toContainText("no line");
  }
  await field.fill("line 17");
  await expect(hits).toContainText("11 lines");
  await page.getByRole("button", { name: /^Next hit/ }).click();
  await expect(hits).toContainText("1 of 11");
  await expect(log.locator("mark").first()).toHaveText("line 17");

  await page.evaluate(() => {
    const row = document.querySelector("mark")?.closest("[data-line]");
    if (row) {
      getSelection()?.selectAllChildren(row);
    }
  });
  await page.keyboard.press("Control+c");
  await field.fill("");
  await field.press("Control+v");
  await expect(field).toHaveValue(/^\s*line 17\d?\s*$/);
});

test("the log of a running task is followed with times", async ({ page }) => {
  const since = Date.now();
  const run = await talking(300, 0.1);
  await visit(page, address(run));
  const log = logOf(page);
  await expect(log.getByText(/^line \d+$/).first()).toBeVisible();
  const follow = page.getByRole("button", { name: "Follow" });
  await expect(follow).toHaveAttribute("aria-pressed", "true");
  await toggle(page).click();
  await areTimed(log, since);
  await expect(follow).toHaveAttribute("aria-pressed", "true");
  const newest = async () => (await rows(log)).at(-1)?.line ?? 0;
  const before = await newest();
  await expect.poll(newest).toBeGreaterThan(before);
  await expect(log.getByText("last words")).toBeVisible({ timeout: 120_000 });
  await areTimed(log, since);
});

test("with times or without, the log stays where it is, and so does what was found", async ({ page }) => {
  const run = await talking(3_000, 0);
  await ended(run.run_id);
  await visit(page, address(run));
  const log = logOf(page);
  await expect(log.getByText("line 1", { exact: true })).toBeVisible();
  const field = page.getByRole("searchbox", { name: "Search the log" });
  const hits = page.getByRole("search").filter({ has: field });
  await field.fill("line 1500");
  await expect(hits).toContainText("1 line");
  await page.getByRole("button", { name: /^Next hit/ }).click();
  const sought = log.getByText("line 1500", { exact: true });
  await expect(sought).toBeInViewport();
  const place = await firstSeen(log);
  for (const count of [1, 0]) {
    await toggle(page).click();
    await expect(log.locator("[data-here] time")).toHaveCount(count);
    await expect(sought).toBeInViewport();
    await expect(hits).toContainText("1 of 1");
    expect(await firstSeen(log)).toEqual(place);
  }
});

test("a log that flows stays where it is, in a narrow window", async ({ page }) => {
  await page.setViewportSize({ width: 900, height: 800 });
  const run = await talking(300, 0);
  await ended(run.run_id);
  await visit(page, address(run));
  const log = logOf(page);
  await expect(log.locator("[data-line]").first()).toBeVisible();
  await page.getByRole("button", { name: "Wrap" }).click();
  await log.evaluate((scroller) => {
    scroller.scrollTop = 2_000;
  });
  const place = await firstSeen(log);
  expect(place.line).toBeGreaterThan(50);
  await toggle(page).click();
  await expect(log.locator("time").first()).toBeAttached();
  expect((await firstSeen(log)).line).toBe(place.line);
  // There is room for words beside it.
  const text = await log.getByText(`line ${place.line}`, { exact: true }).boundingBox();
  const frame = await log.boundingBox();
  expect((frame?.x ?? 0) + (frame?.width ?? 0) - (text?.x ?? 0)).toBeGreaterThan(150);
});

test("times stay in sight where a long line is read to its end", async ({ page }) => {
  await page.setViewportSize({ width: 700, height: 800 });
  const run = await talking(20, 0);
  await ended(run.run_id);
  await visit(page, address(run));
  const log = logOf(page);
  await toggle(page).click();
  const time = log.locator("time").first();
  await expect(time).toBeVisible();
  const before = await time.boundingBox();
  const moved = await log.evaluate((scroller) => {
    scroller.scrollLeft = 10_000;
    return scroller.scrollLeft;
  });
  expect(moved).toBeGreaterThan(20);
  expect((await time.boundingBox())?.x).toBeCloseTo(before?.x ?? 0, 0);
});

test("a server that keeps no times says so, and its lines are shown as they are", async ({ page }) => {
  const run = await talking(20, 0);
  await ended(run.run_id);
  await page.route(/\/attempts\/0\/log\?timestamps=true$/, (route) =>
    route.continue({ url: route.request().url().replace("?timestamps=true", "") }),
  );
  await visit(page, address(run));
  const log = logOf(page);
  await expect(log.getByText("line 1", { exact: true })).toBeVisible();
  await toggle(page).click();
  await expect(page.getByText("This server keeps no times of lines")).toBeVisible();
  await expect(log.locator("time")).toHaveCount(0);
  await expect(log.getByText("line 1", { exact: true })).toBeVisible();
});
