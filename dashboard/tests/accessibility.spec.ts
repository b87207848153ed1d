import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, finished, test, visit } from "./site";

/** No serious violation of WCAG 2.2 A or AA on the page as it stands. */
async function isAccessible(page: Page, what: string) {
  const { violations } = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"])
    .analyze();
  const serious = violations.filter((it) => it.impact === "serious" || it.impact === "critical");
  const words = serious.map(
    (it) =>
      `${what}: ${it.id}: ${it.nodes
        .map((node) => node.html)
        .join("\n    ")
        .slice(0, 600)}`,
  );
  expect(words).toEqual([]);
}

for (const theme of ["light", "dark"] as const) {
  test(`every page is accessible, ${theme}`, async ({ page }) => {
    test.setTimeout(480_000);
    const run = await finished("hello");
    const failed = await finished("failure");
    const { pipeline_id: pipeline = "" } = run.pipeline_version_reference ?? {};
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    for (const address of [
      "/",
      "/runs",
      `/runs/new?pipelineId=${pipeline}`,
      "/pipelines",
      `/pipelines/details/${pipeline}`,
      `/pipelines/details/${pipeline}?view=about`,
      "/experiments",
      `/experiments/details/${run.experiment_id}`,
      "/recurringruns",
      `/recurringruns/new?pipelineId=${pipeline}`,
      "/artifacts",
      `/compare?runlist=${run.run_id},${failed.run_id}`,
      "/system",
      `/runs/details/${run.run_id}`,
      `/runs/details/${run.run_id}?view=timeline`,
      `/runs/details/${run.run_id}?view=table&task=prepare`,
      `/runs/details/${failed.run_id}?view=table&task=validate`,
    ]) {
      await visit(page, address);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      await page.waitForLoadState("load");
      // What is still being read has no content to be judged.
      await expect(page.getByText(/^(Loading|Reading|Drawing)/)).toHaveCount(0);
      await isAccessible(page, address);
    }
  });
}
