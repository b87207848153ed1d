import type { Experiment, RecurringRun } from "../src/api/kfp";
import { api, expect, fresh, sample, test, upload, visit } from "./site";

test("an experiment shows its own schedules, and makes more of them", async ({ page }) => {
  const { pipeline_id: pipeline } = await upload("hello", sample("hello"));
  const made = (name: string) => api<Experiment>("apis/v2beta1/experiments", { display_name: fresh(name) });
  const [one, other] = [await made("scheduled"), await made("other")];
  const schedule = (experiment: Experiment, name: string) =>
    api<RecurringRun>("apis/v2beta1/recurringruns", {
      display_name: fresh(name),
      experiment_id: experiment.experiment_id,
      pipeline_version_reference: { pipeline_id: pipeline },
      mode: "DISABLE",
      max_concurrency: "1",
      trigger: { cron_schedule: { cron: "0 0 9 * * 1-5" } },
    });
  const [own, foreign] = [await schedule(one, "nightly"), await schedule(other, "elsewhere")];
  await visit(page, `/experiments/details/${one.experiment_id}`);
  await page.getByRole("tab", { name: "Schedules" }).click();
  await expect(page).toHaveURL(/tab=schedules/);
  await expect(page.getByRole("link", { name: own.display_name })).toBeVisible();
  await expect(page.getByRole("link", { name: foreign.display_name })).toBeHidden();
  await page.reload();
  await expect(page.getByRole("tab", { name: "Schedules" })).toHaveAttribute("aria-selected", "true");
  await page.getByRole("link", { name: "New schedule" }).click();
  await expect(page).toHaveURL(new RegExp(`recurringruns/new\\?experimentId=${one.experiment_id}`));
});
