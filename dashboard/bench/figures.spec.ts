/** Figures of the pages, printed: `make bench-dashboard`. Nothing here passes or fails by how long it takes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "@playwright/test";
import type { Run } from "../src/api/kfp";
import { api, fresh, home, test, upload, visit } from "../tests/site";
import { tell } from "./figure";
import { flat, grouped } from "./pipelines";

const ROUNDS = Number(process.env.ROUNDS ?? 7);
const LINES = 1_000_000;

test.setTimeout(600_000);

const showcase = () => readFileSync(join(import.meta.dirname, "../tests/pipelines/showcase.yaml"));

async function submit(parameters: Record<string, number>): Promise<Run> {
  const pipeline = await upload("showcase", showcase());
  return api<Run>("apis/v2beta1/runs", {
    display_name: fresh("figures"),
    pipeline_version_reference: { pipeline_id: pipeline.pipeline_id },
    runtime_config: { parameters },
  });
}

/** The time until an element is drawn after the page has gone to an address of its own. */
async function untilDrawn(page: Page, address: string, selector: string): Promise<number> {
  return page.evaluate(
    ([address, selector]) =>
      new Promise<number>((drawn) => {
        const started = performance.now();
        const look = () => {
          if (document.querySelector(selector)) {
            requestAnimationFrame(() => drawn(performance.now() - started));
          } else {
            requestAnimationFrame(look);
          }
        };
        location.hash = address;
        look();
      }),
    [address, selector] as const,
  );
}

const ROW = 'table[aria-label="Runs"] tr[aria-rowindex]';

/** As often as there are rounds, with a browser that has seen nothing before. */
async function eachTime(browser: Browser, perform: (page: Page) => Promise<void>) {
  for (let round = 0; round < ROUNDS; round += 1) {
    const context = await browser.newContext();
    await perform(await context.newPage());
    await context.close();
  }
}

test("first load", async ({ browser }) => {
  const heading: number[] = [];
  const rows: number[] = [];
  const bytes: number[] = [];
  await eachTime(browser, async (page) => {
    await page.goto(`${home()}#/runs`, { waitUntil: "commit" });
    await page.locator("h1").first().waitFor();
    heading.push(await page.evaluate(() => performance.now()));
    await page.locator(ROW).first().waitFor();
    rows.push(await page.evaluate(() => performance.now()));
    await page.waitForLoadState("networkidle").catch(() => undefined);
    bytes.push(
      await page.evaluate(() =>
        performance
          .getEntriesByType("resource")
          .filter((it) => it.name.endsWith(".js"))
          .reduce((sum, it) => sum + (it as PerformanceResourceTiming).encodedBodySize / 1000, 0),
      ),
    );
  });
  tell({ what: "first visit, list of runs: its heading is drawn", values: heading, goal: 1000 });
  tell({ what: "first visit, list of runs: its rows are there", values: rows, goal: 1000 });
  tell({ what: "script of that page, compressed as it is sent", values: bytes, unit: "kB", goal: 200 });
});

test("lists of runs", async ({ browser }) => {
  const { total_size: total } = await api<{ total_size: number }>("apis/v2beta1/runs?page_size=1");
  const lists: [string, string][] = [
    ["list of runs", "/runs"],
    ["list of runs that failed", "/runs?state=FAILED"],
    ["list of runs by name", `/runs?sort=${encodeURIComponent("name asc")}`],
  ];
  for (const [what, address] of lists) {
    const times: number[] = [];
    await eachTime(browser, async (page) => {
      await visit(page, "/system");
      await page.waitForLoadState("networkidle").catch(() => undefined);
      times.push(await untilDrawn(page, address, ROW));
    });
    tell({ what: `${what}: from another page to its rows`, values: times, goal: 300, beside: `${total} runs` });
  }
});

/** How long frames took within some time. */
const frames = (page: Page, during: number) =>
  page.evaluate(
    (during) =>
      new Promise<number[]>((done) => {
        const times: number[] = [];
        const started = performance.now();
        let before = started;
        const tick = (now: number) => {
          times.push(now - before);
          before = now;
          if (now - started < during) {
            requestAnimationFrame(tick);
          } else {
            done(times.slice(1));
          }
        };
        requestAnimationFrame(tick);
      }),
    during,
  );

const PAN_MS = 3_000;

/** Drags the graph to and fro. */
async function pan(page: Page) {
  const area = await page.getByRole("region", { name: /^Graph of tasks/ }).boundingBox();
  if (area === null) {
    throw new Error("the graph is not drawn");
  }
  const started = Date.now();
  // From the middle and around it, so that the graph stays in sight.
  await page.mouse.move(area.x + area.width / 2, area.y + area.height / 2);
  await page.mouse.down();
  for (let step = 0; Date.now() - started < PAN_MS; step += 1) {
    await page.mouse.move(
      area.x + area.width * (0.5 + 0.4 * Math.sin(step / 20)),
      area.y + area.height * (0.5 + 0.4 * Math.sin(step / 13)),
    );
  }
  await page.mouse.up();
}

/** How long frames take while the graph is dragged as it lies. */
async function tellDragged(page: Page, what: string) {
  const [times] = await Promise.all([frames(page, PAN_MS), pan(page)]);
  const late = times.filter((time) => time > 50).length;
  const beside = `${late} of ${times.length} frames took longer than 50 ms`;
  tell({ what: `graph of ${what}: a frame while it is dragged`, values: times, goal: 33, beside });
}

test("graphs", async ({ page }) => {
  const graphs: [string, string][] = [
    ["200 tasks", flat(200)],
    ["2,000 tasks", flat(2_000)],
    ["10,000 tasks in 100 groups", grouped(100)],
  ];
  for (const [what, text] of graphs) {
    const pipeline = await upload("large", text, fresh(what));
    const opened: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      await page.goto("about:blank");
      await visit(page, "/system");
      await page.waitForLoadState("networkidle").catch(() => undefined);
      opened.push(await untilDrawn(page, `/pipelines/details/${pipeline.pipeline_id}`, ".react-flow__node"));
    }
    tell({ what: `graph of ${what}: from another page to its boxes`, values: opened });
    await tellDragged(page, what);
    await page.getByRole("button", { name: /^Fit the graph/ }).click();
    await tellDragged(page, `${what}, seen whole`);
    const groups = page.getByRole("button", { name: "Expand all" });
    if (await groups.isVisible()) {
      await groups.click();
      await page.getByRole("img", { name: /boxes, seen from afar/ }).waitFor();
      await tellDragged(page, `${what}, all open, seen whole`);
    }
  }
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
  tell({ what: "from a run's end to its page saying so", values: delays, goal: 300 });
});

/** The memory that the process of a page has to itself, in MB: its heap, those of its workers, and what they hold beside. */
async function memoryOf(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  const own = processInfo
    .filter(({ type }) => type === "renderer")
    .map(({ id }) => /^RssAnon:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1]);
  // Of a browser with one page the others are spare.
  return Math.max(...own.map((kilobytes) => Number(kilobytes ?? 0))) / 1000;
}

test("a log of a million lines", async ({ browser, page }) => {
  const run = await submit({ lines: LINES, pause: 0 });
  for (let tries = 0; tries < 600; tries += 1) {
    if ((await api<Run>(`apis/v2beta1/runs/${run.run_id}`)).state === "SUCCEEDED") {
      break;
    }
    await new Promise((later) => setTimeout(later, 500));
  }
  await visit(page, `/runs/details/${run.run_id}?view=table&task=talk`);
  await page.getByRole("tab", { name: "Logs" }).waitFor();
  const before = await memoryOf(browser);
  await page.goto("about:blank");
  const started = Date.now();
  await visit(page, `/runs/details/${run.run_id}?view=table&task=talk&tab=logs`);
  const log = page.getByRole("region", { name: /^Log of talk/ });
  await log.getByText("line 1", { exact: true }).waitFor();
  tell({ what: "log of a million lines: its first lines are drawn", values: [Date.now() - started] });
  await log.press("End");
  await log.getByText("last words").waitFor({ timeout: 120_000 });
  tell({ what: "log of a million lines: its last line is drawn", values: [Date.now() - started] });
  const times = await log.evaluate(async (element) => {
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
  tell({ what: "log of a million lines: a frame while it is scrolled to and fro", values: times });
  const after = await memoryOf(browser);
  tell({
    what: "log of a million lines: memory of its page's process, with the worker that holds it",
    values: [after],
    unit: "MB",
    beside: `${before.toFixed(0)} MB before the log was opened`,
  });
});
