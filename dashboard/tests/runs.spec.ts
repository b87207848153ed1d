import { expect, finished, fresh, test, visit } from "./site";

test("runs are listed, narrowed and sorted, and the address keeps it", async ({ page }) => {
  const failed = await finished("failure", { title: fresh("list-failed") });
  const fine = await finished("if_elif_else", { title: fresh("list-fine") });
  await visit(page, "/runs");
  await expect(page.getByRole("link", { name: failed.display_name })).toBeVisible();
  await page.getByRole("searchbox", { name: "Part of the name" }).fill("list-");
  await page.getByRole("button", { name: "Failed", exact: true }).click();
  await expect(page.getByRole("link", { name: fine.display_name })).toBeHidden();
  await expect(page.getByRole("link", { name: failed.display_name })).toBeVisible();
  await page.getByRole("button", { name: "Name" }).click();
  await expect(page).toHaveURL(/name=list-.*state=FAILED|state=FAILED.*name=list-/);
  await expect(page).toHaveURL(/sort=name/);
  await page.reload();
  await expect(page.getByRole("button", { name: "Failed", exact: true })).toHaveAttribute("aria-pressed", "true");
  await expect(page.getByRole("link", { name: failed.display_name })).toBeVisible();
  await expect(page.getByRole("link", { name: fine.display_name })).toBeHidden();
});

test("many runs are archived, restored and deleted at a time", async ({ page }) => {
  const name = fresh("bulk");
  const runs = [
    await finished("if_elif_else", { title: `${name} a` }),
    await finished("if_elif_else", { title: `${name} b` }),
  ];
  await visit(page, `/runs?name=${encodeURIComponent(name)}`);
  await page.getByRole("checkbox", { name: "Choose all that are loaded" }).check();
  await page.getByRole("button", { name: "Archive" }).click();
  await expect(page.getByRole("dialog")).toContainText("Archive 2 runs?");
  await page.getByRole("dialog").getByRole("button", { name: "Archive" }).click();
  await expect(page.getByText("No run is like that")).toBeVisible();
  await page.getByRole("checkbox", { name: "Archived" }).click();
  for (const run of runs) {
    await expect(page.getByRole("link", { name: run.display_name })).toBeVisible();
  }
  await page.getByRole("checkbox", { name: `Choose ${runs[0]?.display_name}` }).check();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("link", { name: runs[0]?.display_name ?? "" })).toBeHidden();
  await expect(page.getByRole("link", { name: runs[1]?.display_name ?? "" })).toBeVisible();
});

test("the list follows what happens, without being asked", async ({ page }) => {
  const name = fresh("live");
  await visit(page, `/runs?name=${encodeURIComponent(name)}`);
  await expect(page.getByText("No run is like that")).toBeVisible();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  await finished("if_elif_else", { title: name });
  await expect(page.getByRole("row", { name: new RegExp(name) })).toContainText("Succeeded");
});

test("runs are compared, differences first", async ({ page }) => {
  const name = fresh("compare");
  await finished("hello", { title: `${name} a`, parameters: { rows: 10 } });
  await finished("hello", { title: `${name} b`, parameters: { rows: 30 } });
  await visit(page, `/runs?name=${encodeURIComponent(name)}`);
  await page.getByRole("checkbox", { name: "Choose all that are loaded" }).check();
  await page.getByRole("link", { name: "Compare", exact: true }).click();
  const parameters = page.getByRole("table", { name: "Parameters" });
  await expect(parameters.getByRole("row", { name: /rows/ })).toContainText("30");
  const metrics = page.getByRole("table", { name: "Metrics" });
  await expect(metrics.getByRole("row", { name: /rows/ })).toContainText("most");
  await expect(metrics).not.toContainText("loss");
  await page.getByRole("checkbox", { name: "Differences only" }).click();
  await expect(metrics).toContainText("loss");
});
