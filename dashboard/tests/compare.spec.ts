import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Run } from "../src/api/kfp";
import { api, expect, fresh, succeeded, test, upload, visit } from "./site";

// What the showcase puts out wants to run scripts.
test.use({ mayBlock: true });

async function trained(pipeline: string, rate: number, rows = 40): Promise<Run> {
  const { run_id: id } = await api<Run>("apis/v2beta1/runs", {
    display_name: fresh(`rate ${rate}`),
    pipeline_version_reference: { pipeline_id: pipeline },
    runtime_config: { parameters: { rate, rows } },
  });
  return succeeded(id);
}

test("runs have their curves in one chart, the best first in its legend, and their tables beside each other", async ({
  page,
}) => {
  const text = readFileSync(join(import.meta.dirname, "pipelines/showcase.yaml"));
  const { pipeline_id: pipeline } = await upload("showcase", text);
  const runs = [await trained(pipeline, 0.2), await trained(pipeline, 2, 7)];
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
  const tables = page.getByRole("region", { name: "prepare · table (Dataset)" });
  await expect(tables.getByRole("figure", { name: /^A · / }).getByRole("columnheader")).toHaveText([
    /^index/,
    /^value/,
    /^label/,
  ]);
  await expect(tables.getByRole("figure", { name: /^A · / }).getByText("40 rows")).toBeVisible();
  await expect(tables.getByRole("figure", { name: /^B · / }).getByText("7 rows")).toBeVisible();
  // What was given has no best and no worst.
  const given = page.getByRole("table", { name: "Parameters" });
  await expect(given.getByRole("row", { name: /^rows/ })).toContainText("40");
  await expect(given).not.toContainText(/least|most/);
  await visit(page, `/compare?runlist=${runs[0]?.run_id}`);
  await expect(page.getByRole("img", { name: /^ROC curve of/ })).toBeVisible();
  await expect(page.getByRole("img", { name: /^ROC curves/ })).toBeHidden();
});
