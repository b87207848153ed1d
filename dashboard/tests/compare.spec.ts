import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Run } from "../src/api/kfp";
import { api, expect, fresh, succeeded, test, upload, visit } from "./site";

// What the showcase puts out wants to run scripts.
test.use({ mayBlock: true });

async function trained(pipeline: string, rate: number): Promise<Run> {
  const { run_id: id } = await api<Run>("apis/v2beta1/runs", {
    display_name: fresh(`rate ${rate}`),
    pipeline_version_reference: { pipeline_id: pipeline },
    runtime_config: { parameters: { rate } },
  });
  return succeeded(id);
}

test("curves of several runs are in one chart, the best first in its legend", async ({ page }) => {
  const text = readFileSync(join(import.meta.dirname, "pipelines/showcase.yaml"));
  const { pipeline_id: pipeline } = await upload("showcase", text);
  const runs = [await trained(pipeline, 0.2), await trained(pipeline, 2)];
  await visit(page, `/compare?runlist=${runs.map((run) => run.run_id).join(",")}`);
  const chart = page.getByRole("img", { name: /^ROC curves of 2 runs; areas under them: B 0\.\d+, A 0\.\d+$/ });
  await expect(chart).toBeVisible();
  await expect(chart.locator("polyline")).toHaveCount(2);
  const legend = page.getByRole("table", { name: "Areas under the curves" });
  await expect(legend.getByRole("rowheader")).toHaveText([
    `B · ${runs[1]?.display_name}`,
    `A · ${runs[0]?.display_name}`,
  ]);
  await legend.getByRole("row", { name: /^A/ }).hover();
  await expect(chart.locator("polyline[data-faded]")).toHaveCount(1);
  await visit(page, `/compare?runlist=${runs[0]?.run_id}`);
  await expect(page.getByRole("img", { name: /^ROC curve of/ })).toBeVisible();
  await expect(page.getByRole("img", { name: /^ROC curves/ })).toBeHidden();
});
