/** A run as it was, and tasks where they are hard to find: below loops, in groups that did not run. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import type { Run } from "../src/api/kfp";
import type { Tree } from "../src/api/penstock";
import { api, ended, expect, finished, fresh, submit, test, upload, visit } from "./site";

type Page = import("@playwright/test").Page;

const graph = (page: Page) => page.getByRole("region", { name: /^Graph of tasks/ });
const table = (page: Page) => page.getByRole("table", { name: "Tasks" });
const panel = (page: Page, name: RegExp) => page.getByRole("complementary", { name });
const past = (page: Page) => page.getByRole("note", { name: "The past is shown" });
const treeOf = (run: Run, query = "") => api<Tree>(`apis/penstock/v1/runs/${run.run_id}/tree${query}`);

/** A run whose loop of 30 items fails at the one of index 17, while others are under way. */
async function thirty(): Promise<Run> {
  const pipeline = await upload("thirty", readFileSync(join(import.meta.dirname, "pipelines/loop_of_thirty.yaml")));
  const { run_id } = await api<Run>("apis/v2beta1/runs", {
    display_name: fresh("thirty"),
    pipeline_version_reference: { pipeline_id: pipeline.pipeline_id },
  });
  return ended(run_id);
}

/** A run that failed, and failed again when it was retried some time later; with the instant between the two. */
async function retried(): Promise<{ run: Run; between: string }> {
  const run = await finished("failure");
  const before = await treeOf(run);
  await new Promise((later) => setTimeout(later, 3_000));
  await api(`apis/v2beta1/runs/${run.run_id}:retry`, {});
  await expect.poll(async () => (await treeOf(run)).seq, { timeout: 30_000 }).toBeGreaterThan(before.seq + 5);
  await ended(run.run_id);
  return { run, between: new Date(Date.parse(before.at ?? "") + 1_000).toISOString() };
}

test("a run that was retried is shown as it was before, on each view, and the address keeps it", async ({ page }) => {
  const { run, between } = await retried();
  await visit(page, `/runs/details/${run.run_id}?at=${between}`);
  await expect(past(page)).toContainText("Failed");
  for (const name of [/^validate.*Failed/, /^train-2.*Skipped/, /^publish-2.*Skipped/]) {
    await expect(graph(page).getByRole("button", { name }).first()).toBeVisible();
  }
  await page.keyboard.press("3");
  await expect(past(page)).toBeVisible();
  const row = table(page).getByRole("row", { name: /^Failed validate/ });
  // One attempt then, two in the end.
  await expect(row.getByRole("cell").last()).toHaveText("1");
  await page.keyboard.press("2");
  await expect(past(page)).toBeVisible();
  await page.reload();
  await expect(past(page)).toBeVisible();
  await expect(page.getByRole("slider", { name: "Instant that is shown" })).toHaveAttribute(
    "aria-valuetext",
    /after the start/,
  );
  await past(page).getByRole("button", { name: "Back to the end" }).click();
  await expect(past(page)).toBeHidden();
  await expect(page).not.toHaveURL(/at=/);
  await page.keyboard.press("3");
  await expect(row.getByRole("cell").last()).toHaveText("2");
});

test("what lies between a failure and a retry is not told as a wait for room", async ({ page }) => {
  const { run } = await retried();
  await visit(page, `/runs/details/${run.run_id}?view=timeline&task=validate`);
  const over = page.locator('[data-phase="over"]');
  await expect(page.getByRole("list", { name: "What the bars mean" })).toContainText(
    "Ended, until the run was retried",
  );
  await expect(page.getByRole("list", { name: "What the bars mean" })).toContainText("in an attempt that failed");
  await expect(over.last()).toHaveAttribute("title", /^Ended, until the run was retried: /);
  await expect(over.and(page.locator("[data-critical]"))).toHaveCount(0);
  const queued = panel(page, /validate/)
    .getByText("Queued")
    .locator("xpath=following-sibling::dd");
  // It waited for less than the time between.
  await expect(queued).toHaveText(/^(\d+ ms|[0-2](\.\d+)? s)$/);
});

test("the slider leads through a loop, and its counters with it", async ({ page }) => {
  const run = await thirty();
  const loop = (await treeOf(run)).nodes.find((node) => node.kind === "LOOP");
  const middle = (Date.parse(loop?.started_at ?? "") + Date.parse(loop?.ended_at ?? "")) / 2;
  await visit(page, `/runs/details/${run.run_id}?task=for-loop-1&at=${new Date(middle).toISOString()}`);
  await expect(past(page)).toContainText("Running");
  await expect(
    graph(page)
      .getByRole("button", { name: /^each item.*\d+ of 30 iterations/ })
      .first(),
  ).toBeVisible();
  await expect(panel(page, /each item/)).toContainText(/\d+ waiting/);
  // Its iterations are of then too.
  await graph(page).getByRole("button", { name: "Open each item" }).click();
  const picker = page.getByRole("dialog", { name: "Iterations of each item" });
  const picked = picker.getByRole("listbox", { name: "Iterations" }).getByRole("option");
  await expect(picked.filter({ hasText: "Running" }).first()).toBeVisible();
  await picker.getByRole("button", { name: "Close" }).click();
  await page.keyboard.press("2");
  const slider = page.getByRole("slider", { name: "Instant that is shown" });
  await slider.focus();
  await page.keyboard.press("Home");
  await expect(past(page)).toContainText("0 ms after the start");
  await expect(page).toHaveURL(/at=/);
  await page.keyboard.press("End");
  await expect(past(page)).toBeHidden();
});

test("a failed run leads to the task in its loop, and the loop says what failed", async ({ page }) => {
  const run = await thirty();
  await visit(page, `/runs/details/${run.run_id}`);
  await page.getByRole("button", { name: "Show for-loop-1[17]/work" }).click();
  await expect(page).toHaveURL(/task=for-loop-1%5B17%5D%2Fwork/);
  await expect(page).toHaveURL(/iterations=for-loop-1%5B17%5D/);
  await expect(
    graph(page)
      .getByRole("button", { name: /^work.*Failed.*in for-loop-1\[17\]/ })
      .first(),
  ).toBeVisible();
  await expect(panel(page, /work/)).toContainText("The task's own program failed");
  await visit(page, `/runs/details/${run.run_id}?task=for-loop-1`);
  const card = panel(page, /each item/);
  await expect(card).toContainText("1 of 30 iterations failed");
  await expect(card).not.toContainText("own program");
  await expect(card).toContainText("not started");
  await expect(card).not.toContainText("waiting");
  await card.getByRole("link", { name: "for-loop-1[17]/work" }).click();
  await expect(panel(page, /work/)).toContainText("item 17 is bad");
});

test("the table has every task: what was skipped, and what is in loops", async ({ page }) => {
  const run = await thirty();
  await visit(page, `/runs/details/${run.run_id}?view=table`);
  for (const name of [/^Skipped never/, /^Skipped chatty condition-2\/chatty/, /^Failed work for-loop-1\[17\]\/work/]) {
    await expect(table(page).getByRole("row", { name })).toBeVisible();
  }
  // The reason begins with what tells most of it.
  await expect(table(page).getByRole("row", { name: /^Failed work for-loop-1\[17\]\/work/ })).toContainText(
    /\/workValueError: item 17 is bad/,
  );
  await page.getByRole("combobox", { name: "State" }).selectOption("failed");
  await expect(table(page).getByRole("row", { name: /^Failed work for-loop-1\[17\]\// })).toBeVisible();
  await expect(table(page).getByRole("row", { name: /^Succeeded/ })).toHaveCount(0);
  await page.getByRole("combobox", { name: "State" }).selectOption("succeeded");
  await expect(table(page).getByRole("row", { name: /for-loop-1\[3\]\/work/ })).toBeVisible();
});

test("loops that were opened stay open", async ({ page }) => {
  const run = await finished("hello");
  await visit(page, `/runs/details/${run.run_id}?view=table`);
  await page.getByRole("button", { name: "Show what is in for-loop-2" }).click();
  await expect(
    table(page)
      .getByRole("row", { name: /Iteration 1/ })
      .or(table(page).getByText("for-loop-2[1]"))
      .first(),
  ).toBeVisible();
  await page.reload();
  await expect(page.getByRole("button", { name: "Hide what is in for-loop-2" })).toBeVisible();
  await page.keyboard.press("2");
  await expect(page.getByRole("button", { name: "Close for-loop-2" })).toBeVisible();
  // What is chosen in a loop opens it.
  await visit(page, `/runs/details/${run.run_id}?view=timeline&task=for-loop-2%5B0%5D/train`);
  await expect(page.getByRole("button", { name: "Close for-loop-2" })).toBeVisible();
});

test("a task says in its overview what differs in its key", async ({ page }) => {
  await finished("hello", { parameters: { rows: 31 } });
  const run = await submit("hello", { parameters: { rows: 32 } });
  await ended(run.run_id);
  await visit(page, `/runs/details/${run.run_id}?view=table&task=prepare`);
  await expect(panel(page, /prepare/)).toContainText(/input rows: \d+, now 32/);
});

for (const width of [1440, 900]) {
  test(`the past, loops and their tasks are accessible at ${width} pixels`, async ({ page }) => {
    test.setTimeout(120_000);
    await page.setViewportSize({ width, height: 900 });
    const run = await thirty();
    const loop = (await treeOf(run)).nodes.find((node) => node.kind === "LOOP");
    for (const query of [
      `view=timeline&rows=${loop?.node}&at=${loop?.ended_at}`,
      `view=table&at=${loop?.started_at}`,
      "view=table&task=for-loop-1",
      "view=table&task=for-loop-1%5B17%5D/work",
      "view=table&task=condition-2/chatty",
    ]) {
      await visit(page, `/runs/details/${run.run_id}?${query}`);
      await expect(page.getByRole("tabpanel").first()).toBeVisible();
      await expect(page.getByText(/^(Loading|Reading|Looking)/)).toHaveCount(0);
      const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag22aa"]).analyze();
      expect(violations.map((it) => `${query}: ${it.id}: ${it.nodes.map((node) => node.html).join()}`)).toEqual([]);
    }
  });

  test(`all tabs of a task and the log's search are seen at ${width} pixels`, async ({ page }) => {
    await page.setViewportSize({ width, height: 800 });
    const run = await thirty();
    await visit(page, `/runs/details/${run.run_id}?view=table&task=for-loop-1%5B17%5D/work&tab=logs`);
    const tabs = panel(page, /work/).getByRole("tablist");
    await expect(tabs).toBeVisible();
    expect(await tabs.evaluate((it) => it.scrollWidth - it.clientWidth)).toBe(0);
    const search = panel(page, /work/).getByLabel("Search the log");
    await expect(search).toBeVisible();
    expect((await search.boundingBox())?.width).toBeGreaterThanOrEqual(120);
  });
}

test("a run's page needs less than 200 kB of script, in two rounds", async ({ page }) => {
  const run = await finished("hello");
  await visit(page, `/runs/details/${run.run_id}`);
  await expect(
    graph(page)
      .getByRole("button", { name: /^prepare/ })
      .first(),
  ).toBeVisible();
  await page.waitForLoadState("networkidle");
  const loaded = await page.evaluate(() =>
    (performance.getEntriesByType("resource") as PerformanceResourceTiming[])
      // The palette is loaded ahead once the page is there and rests.
      .filter((it) => it.name.endsWith(".js") && !it.name.includes("/Palette-"))
      .map((it) => ({ name: it.name, bytes: it.encodedBodySize, begun: it.startTime, ended: it.responseEnd })),
  );
  expect(
    loaded.reduce((sum, it) => sum + it.bytes, 0),
    JSON.stringify(loaded),
  ).toBeLessThan(200_000);
  const of = (name: string) => loaded.find((it) => it.name.includes(`/${name}-`));
  // The graph is asked for before the page that shows it has arrived.
  expect(of("Graph")?.begun).toBeLessThan(of("Run")?.ended ?? 0);
});
