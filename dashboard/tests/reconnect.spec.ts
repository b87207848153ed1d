/** The server ends and starts again while pages are open: they say so, and catch up by themselves. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import type { Run } from "../src/api/kfp";
import { type Program, up } from "./program";
import { proxy } from "./proxy";
import { api, expect, fresh, open, sample, test, upload } from "./site";

const showcase = () => readFileSync(join(import.meta.dirname, "pipelines/showcase.yaml"));

let directory: string;
let server: Program | undefined;

test.beforeEach(async ({ sites }) => {
  directory = mkdtempSync(join(tmpdir(), "penstock-reconnect-"));
  server = await up(directory);
  sites.push(server.url);
});

test.afterEach(async () => {
  await server?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const link = (page: Page) => page.getByRole("status").filter({ hasText: /^(Live|Connecting|Not connected)/ });

/** A page that was loaded anew would have lost it. */
const mark = (page: Page) =>
  page.evaluate(() => {
    (window as unknown as { marked?: boolean }).marked = true;
  });
const isMarked = (page: Page) => page.evaluate(() => (window as unknown as { marked?: boolean }).marked === true);

async function submit(site: string, parameters: Record<string, number>): Promise<Run> {
  const pipeline = await upload("showcase", showcase(), fresh("showcase"), site);
  const body = {
    display_name: fresh("showcase"),
    pipeline_version_reference: { pipeline_id: pipeline.pipeline_id },
    runtime_config: { parameters },
  };
  return api<Run>("apis/v2beta1/runs", body, site);
}

test("a run that goes on after a kill is followed to its end", async ({ page }) => {
  const site = server?.url ?? "";
  const run = await submit(site, { lines: 150, pause: 0.1 });
  await open(page, `${site}#/runs/details/${run.run_id}?view=table&task=talk&tab=logs`);
  const log = page.getByRole("region", { name: /^Log of talk/ });
  await expect(log.getByText(/^line \d+$/).first()).toBeVisible();
  await expect(link(page)).toHaveText("Live");
  await mark(page);
  await server?.kill();
  await expect(link(page)).toContainText("Not connected");
  // What was there is still shown.
  await expect(page.getByRole("heading", { level: 1 })).toContainText(run.display_name);
  server = await up(directory, Number(new URL(site).port));
  await expect(link(page)).toHaveText("Live");
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Succeeded", { timeout: 120_000 });
  await log.press("End");
  await expect(log.getByText("last words")).toBeVisible();
  expect(await isMarked(page)).toBe(true);
});

test("a list catches up with what it missed, though a proxy answered for the server meanwhile", async ({
  page,
  sites,
}) => {
  const front = await proxy("/", server?.url ?? "");
  sites.push(front.url);
  const pipeline = await upload("hello", sample("hello"), fresh("hello"), front.url);
  await open(page, `${front.url}#/pipelines`);
  await expect(page.getByRole("link", { name: pipeline.display_name })).toBeVisible();
  await open(page, `${front.url}#/runs`);
  // The page is loaded when it is opened: with the server away it could not be.
  await expect(page.getByRole("heading", { level: 1, name: "Runs" })).toBeVisible();
  await expect(link(page)).toHaveText("Live");
  await mark(page);
  front.target = undefined;
  await server?.stop();
  await expect(link(page)).toContainText("Not connected");
  // The browser gives up a stream that is refused: it is the page that asks again.
  const streams = () => front.asked.filter((path) => path.startsWith("/apis/penstock/v1/events")).length;
  const before = streams();
  await expect.poll(streams).toBeGreaterThan(before + 1);
  // Pages that ask for something meanwhile say that they cannot have it.
  const title = fresh("meanwhile");
  await page.evaluate(
    (name) => {
      location.hash = `#/runs?name=${encodeURIComponent(name)}`;
    },
    title.slice(0, 9),
  );
  await expect(page.locator("main").getByRole("alert")).toBeVisible();
  server = await up(directory);
  await api<Run>(
    "apis/v2beta1/runs",
    { display_name: title, pipeline_version_reference: { pipeline_id: pipeline.pipeline_id } },
    server.url,
  );
  front.target = server.url;
  await expect(link(page)).toHaveText("Live", { timeout: 120_000 });
  await expect(page.getByRole("link", { name: title })).toBeVisible();
  await expect(page.locator("main").getByRole("alert")).toBeHidden();
  expect(await isMarked(page)).toBe(true);
  await front.stop();
});
