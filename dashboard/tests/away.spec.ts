/** Pages that are opened while the server is away say so, and come when it is back. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { up } from "./program";
import { expect, test } from "./site";

test("the server is away, and nothing claims to be well or of another version", async ({ page, quiet, sites }) => {
  const directory = mkdtempSync(join(tmpdir(), "penstock-away-"));
  let server = await up(directory);
  sites.push(server.url);
  const address = server.url;
  try {
    await page.goto(`${address}#/system`);
    const health = page.getByRole("region", { name: /^Health/ });
    await expect(health.getByText("OK", { exact: true }).first()).toBeVisible();
    await server.stop();
    await expect(page.getByRole("alert")).toContainText("The server does not answer", { timeout: 30_000 });
    await expect(health.getByText("Was OK", { exact: true }).first()).toBeVisible();
    await expect(health.getByText("OK", { exact: true })).toHaveCount(0);
    // A page that was never opened.
    await page.evaluate(() => {
      location.hash = "#/artifacts";
    });
    await expect(page.getByRole("alert")).toContainText("The server cannot be reached", { timeout: 30_000 });
    server = await up(directory, Number(new URL(address).port));
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Artifacts", { timeout: 40_000 });
    // What did not come is said in the console too.
    quiet.splice(0, quiet.length, ...quiet.filter((it) => !it.includes("dynamically imported module")));
  } finally {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
});
