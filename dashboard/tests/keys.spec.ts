/** What can be done with a mouse can be done without one. */
import type { Locator, Page } from "@playwright/test";
import { expect, sample, test, upload, visit } from "./site";

const MOST_STEPS = 120;

/** Goes on with Tab until the focus is there, as whoever has no mouse does. */
async function tabTo(page: Page, place: Locator) {
  await expect(place).toBeVisible();
  for (let step = 0; step < MOST_STEPS; step += 1) {
    if (await place.evaluate((element) => element === document.activeElement)) {
      return;
    }
    await page.keyboard.press("Tab");
  }
  throw new Error(`the focus does not come to ${place}`);
}

test("a run is begun, and the log of its task is read, by keys alone", async ({ page }) => {
  const pipeline = await upload("hello", sample("hello"));
  await visit(page, "/");
  const heading = page.getByRole("heading", { level: 1 });
  await expect(heading).toHaveText("Home");
  await page.keyboard.press("g");
  await page.keyboard.press("p");
  await expect(heading).toHaveText("Pipelines");
  await tabTo(page, page.getByRole("searchbox", { name: "Part of the name" }));
  await page.keyboard.type(pipeline.display_name);
  await expect(page.getByRole("row")).toHaveCount(2);
  await tabTo(page, page.getByRole("link", { name: pipeline.display_name }));
  await page.keyboard.press("Enter");
  await expect(heading).toHaveText(pipeline.display_name);
  await tabTo(page, page.getByRole("link", { name: "Run", exact: true }));
  await page.keyboard.press("Enter");
  await expect(heading).toHaveText("New run");
  await tabTo(page, page.getByRole("textbox", { name: "rows" }));
  await page.keyboard.press("Control+a");
  await page.keyboard.type("7");
  await tabTo(page, page.getByRole("button", { name: "Start the run" }));
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/runs\/details\//);
  await expect(heading).toContainText("Succeeded", { timeout: 40_000 });
  await page.keyboard.press("3");
  await tabTo(
    page,
    page
      .getByRole("table")
      .getByRole("button", { name: /^prepare/ })
      .first(),
  );
  await page.keyboard.press("Enter");
  const panel = page.getByRole("complementary", { name: "Task prepare" });
  await tabTo(page, panel.getByRole("tab", { selected: true }));
  for (let step = 0; step < 5 && (await panel.getByRole("tab", { name: "Logs", selected: true }).count()) === 0; ) {
    await page.keyboard.press("ArrowRight");
    step += 1;
  }
  const log = panel.getByRole("region", { name: /^Log of prepare/ });
  await tabTo(page, log);
  await page.keyboard.press("End");
  await expect(log.getByText("wrote 7 rows")).toBeVisible();
});
