/** Schedules of a server whose clock is another than that of whoever looks. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Program, up } from "./program";
import { expect, fresh, sample, test, upload } from "./site";

let directory: string;
let server: Program;

test.beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "penstock-zone-"));
  server = await up(directory, 0, ["--time-zone", "America/New_York"]);
});

test.afterAll(async () => {
  await server?.stop();
  rmSync(directory, { recursive: true, force: true });
});

test("a schedule says by whose clock it goes, and five fields are not taken for crontab's", async ({ page, sites }) => {
  sites.push(server.url);
  const pipeline = await upload("hello", sample("hello"), fresh("hello"), server.url);
  await page.goto(`${server.url}#/recurringruns/new?pipelineId=${pipeline.pipeline_id}`);
  const table = page.getByRole("table", { name: "Next times" });
  await expect(table.getByRole("columnheader")).toHaveText([
    "America/New_Yorkthe schedule's",
    "Europe/Berlinyours",
    "UTC",
    "From now",
  ]);
  const row = table.getByRole("row").nth(1);
  await expect(row.getByRole("cell").nth(0)).toContainText("09:00");
  // Clocks are not changed on the same day everywhere.
  await expect(row.getByRole("cell").nth(1)).toHaveText(/^1[45]:00$/);
  await expect(row.getByRole("cell").nth(2)).toHaveText(/^1[34]:00$/);

  const cron = page.getByRole("textbox", { name: /Cron expression/ });
  await cron.fill("0 9 * * 1-5");
  await expect(page.getByText("It means: second 0, of minute 9, of every hour, in January to May.")).toBeVisible();
  await page.getByRole("button", { name: "As crontab has it: 0 0 9 * * 1-5" }).click();
  await expect(cron).toHaveValue("0 0 9 * * 1-5");
  await expect(page.getByText("Five fields are read")).toBeHidden();

  await page.getByRole("textbox", { name: "Name", exact: false }).first().fill(fresh("working days"));
  await page.getByRole("button", { name: "Create" }).click();
  await expect(page.getByText("Monday to Friday at 09:00 in America/New_York")).toBeVisible();
  await expect(table.getByRole("columnheader").first()).toContainText("America/New_York");
  await page.getByRole("link", { name: "Schedules" }).first().click();
  await expect(page.getByRole("columnheader", { name: "When (America/New_York)" })).toBeVisible();
  await expect(page.getByRole("columnheader", { name: "Next (Europe/Berlin)" })).toBeVisible();
});
