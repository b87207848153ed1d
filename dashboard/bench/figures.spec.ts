/** Figures of the pages, printed: `make bench-dashboard`. Nothing here passes or fails by how long it takes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import type { Run } from "../src/api/kfp";
import { api, fresh, home, test, upload, visit } from "../tests/site";

const ROUNDS = Number(process.env.ROUNDS ?? 7);
const LINES = 1_000_000;

test.setTimeout(600_000);

const showcase = () => readFileSync(join(import.meta.dirname, "../tests/pipelines/showcase.yaml"));

function say(what: string, values: readonly number[], unit = "ms") {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]?.toFixed(0);
  console.info(`${what}: median ${at(0.5)} ${unit}, from ${at(0)} to ${at(1)}, ${values.length} rounds`);
}

async function submit(parameters: Record<string, number>): Promise<Run> {
  const pipeline = await upload("showcase", showcase());
  return api<Run>("apis/v2beta1/runs", {
    display_name: fresh("figures"),
    pipeline_version_reference: { pipeline_id: pipeline.pipeline_id },
    runtime_config: { parameters },
  });
}

/** From the start of the navigation until an element is drawn. */
async function untilDrawn(page: Page, selector: string): Promise<number> {
  await page.locator(selector).first().waitFor();
  return page.evaluate(() => new Promise<number>((drawn) => requestAnimationFrame(() => drawn(performance.now()))));
}

test("first load", async ({ browser }) => {
  const times: number[] = [];
  let bytes = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    // Nothing is kept from one round to the next.
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${home()}#/runs`);
    times.push(await untilDrawn(page, "h1"));
    await page.waitForLoadState("networkidle").catch(() => undefined);
    bytes = await page.evaluate(() =>
      performance
        .getEntriesByType("resource")
        .filter((it) => it.name.endsWith(".js"))
        .reduce((sum, it) => sum + (it as PerformanceResourceTiming).encodedBodySize, 0),
    );
    await context.close();
  }
  say("list of runs drawn after the start of a first visit", times);
  console.info(`script of that page, as it is sent: ${(bytes / 1000).toFixed(0)} kB`);
});

test("from a change of status to pixels", async ({ page }) => {
  const delays: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const run = await submit({ lines: 30, pause: 0.1, rows: 40 + round });
    await visit(page, `/runs/details/${run.run_id}`);
    await page
      .getByRole("button", { name: /talk.*Running/i })
      .first()
      .waitFor();
    const seen = await page.evaluate(
      () =>
        new Promise<number>((done) => {
          const look = () => {
            if (document.querySelector("h1")?.textContent?.includes("Succeeded")) {
              observer.disconnect();
              requestAnimationFrame(() => done(Date.now()));
            }
          };
          const observer = new MutationObserver(look);
          observer.observe(document.body, { subtree: true, childList: true, characterData: true });
          look();
        }),
    );
    const record = await api<{ run: { finished_at: string } }>(`apis/penstock/v1/runs/${run.run_id}`);
    delays.push(seen - Date.parse(record.run.finished_at));
  }
  say("from a run's end to its page saying so", delays);
});

test("a log of a million lines", async ({ page }) => {
  const run = await submit({ lines: LINES, pause: 0 });
  for (let tries = 0; tries < 600; tries += 1) {
    if ((await api<Run>(`apis/v2beta1/runs/${run.run_id}`)).state === "SUCCEEDED") {
      break;
    }
    await new Promise((later) => setTimeout(later, 500));
  }
  const started = Date.now();
  await visit(page, `/runs/details/${run.run_id}?view=table&task=talk&tab=logs`);
  const log = page.getByRole("region", { name: /^Log of talk/ });
  await log.getByText("line 1", { exact: true }).waitFor();
  say("first lines of the log", [Date.now() - started]);
  await log.press("End");
  await log.getByText("last words").waitFor({ timeout: 120_000 });
  say("its last line", [Date.now() - started]);
  const frames = await log.evaluate(async (element) => {
    const scroller = element.scrollHeight > element.clientHeight ? element : (element.querySelector("*") ?? element);
    const times: number[] = [];
    let before = performance.now();
    for (let step = 0; step < 120; step += 1) {
      scroller.scrollTop = Math.random() * scroller.scrollHeight;
      await new Promise((next) => requestAnimationFrame(next));
      times.push(performance.now() - before);
      before = performance.now();
    }
    return times;
  });
  say("a frame while the log is scrolled to and fro", frames);
  const heap = await page.evaluate(
    () => (performance as unknown as { memory?: { usedJSHeapSize: number } }).memory?.usedJSHeapSize ?? 0,
  );
  console.info(`heap of the page with it: ${(heap / 1e6).toFixed(0)} MB`);
});
