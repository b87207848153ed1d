/** A file that is let go over a page, as the browser itself hands it on. */
import { writeFileSync } from "node:fs";
import type { Page } from "@playwright/test";
import { expect, fresh, sample, test, visit } from "./site";

async function drop(page: Page, file: string) {
  const session = await page.context().newCDPSession(page);
  const over = async (type: "dragEnter" | "dragOver" | "drop") =>
    session.send("Input.dispatchDragEvent", {
      type,
      x: 700,
      y: 500,
      data: { items: [], files: [file], dragOperationsMask: 1 },
    });
  await over("dragEnter");
  // A pointer never comes to rest: what has come up under it is asked too, be it the list or where to drop.
  await expect(async () => {
    await over("dragOver");
    await expect(page.getByText("Drop it to upload it")).toBeVisible({ timeout: 1_000 });
  }).toPass();
  await over("dragOver");
  await over("drop");
}

test("a pipeline is uploaded by dropping its file", async ({ page }, info) => {
  const file = info.outputPath("dropped.yaml");
  writeFileSync(file, sample("hello"));
  await visit(page, "/pipelines");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Pipelines");
  await drop(page, file);
  const dialog = page.getByRole("dialog");
  const name = dialog.getByRole("textbox", { name: "Name" });
  await expect(name).toHaveValue("dropped");
  await name.fill(fresh("dropped"));
  const title = await name.inputValue();
  await dialog.getByRole("button", { name: "Upload" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(title);
  await expect(page.getByRole("tabpanel")).toContainText("prepare");
});
