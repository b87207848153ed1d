/** Pictures of every page in both themes, to be looked at: `make screenshots`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Run } from "../src/api/kfp";
import { api, expect, sample, test, upload, visit } from "../tests/site";

const PLACE = process.env.PENSTOCK_SCREENSHOTS ?? "screenshots/pictures";

test.setTimeout(600_000);

const ENDED = ["SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"];

async function run(pipeline: string, title: string, parameters: Record<string, number> = {}): Promise<Run> {
  const started = await api<Run>("apis/v2beta1/runs", {
    display_name: title,
    pipeline_version_reference: { pipeline_id: pipeline },
    runtime_config: { parameters },
  });
  for (let tries = 0; tries < 300; tries += 1) {
    const now = await api<Run>(`apis/v2beta1/runs/${started.run_id}`);
    if (ENDED.includes(now.state ?? "")) {
      return now;
    }
    await new Promise((later) => setTimeout(later, 200));
  }
  throw new Error(`${title} does not end`);
}

test("every page, in both themes", async ({ page }) => {
  const hello = (await upload("hello", sample("hello"), "train and publish")).pipeline_id;
  const failure = (await upload("failure", sample("failure"), "validate")).pipeline_id;
  const nested = (await upload("deep_nesting", sample("deep_nesting"), "nested groups")).pipeline_id;
  const text = readFileSync(join(import.meta.dirname, "../tests/pipelines/showcase.yaml"));
  const showcase = (await upload("showcase", text, "showcase")).pipeline_id;
  const first = await run(hello, "nightly 1", { rows: 200 });
  const second = await run(hello, "nightly 2", { rows: 400 });
  const failed = await run(failure, "validate the new data");
  const deep = await run(nested, "nested groups");
  const shown = await run(showcase, "showcase");
  await api("apis/v2beta1/recurringruns", {
    display_name: "every night",
    max_concurrency: "1",
    mode: "ENABLE",
    trigger: { cron_schedule: { cron: "0 30 2 * * *" } },
    pipeline_version_reference: { pipeline_id: hello },
  });
  const { recurringRuns = [] } = await api<{ recurringRuns?: { recurring_run_id: string }[] }>(
    "apis/v2beta1/recurringruns",
  );
  const { artifacts = [] } = await api<{ artifacts?: { artifact_id: string; name: string }[] }>(
    `apis/penstock/v1/artifacts?run_id=${first.run_id}`,
  );
  const data = artifacts.find((it) => it.name === "data")?.artifact_id;
  const pages: [string, string][] = [
    ["home", "/"],
    ["runs", "/runs"],
    ["run-graph", `/runs/details/${first.run_id}?task=choose`],
    ["run-graph-nested", `/runs/details/${deep.run_id}`],
    ["run-timeline", `/runs/details/${shown.run_id}?view=timeline`],
    ["run-table", `/runs/details/${shown.run_id}?view=table&task=train&tab=values`],
    ["run-logs", `/runs/details/${shown.run_id}?view=table&task=talk&tab=logs`],
    ["run-failed", `/runs/details/${failed.run_id}?task=validate`],
    ["run-details", `/runs/details/${first.run_id}?view=details`],
    ["new-run", `/runs/new?pipelineId=${hello}`],
    ["compare", `/compare?runlist=${first.run_id},${second.run_id}`],
    ["pipelines", "/pipelines"],
    ["pipeline", `/pipelines/details/${hello}`],
    ["pipeline-inputs", `/pipelines/details/${hello}?view=about`],
    ["experiments", "/experiments"],
    ["experiment", `/experiments/details/${first.experiment_id}`],
    ["schedules", "/recurringruns"],
    ["schedule", `/recurringrun/details/${recurringRuns[0]?.recurring_run_id}`],
    ["new-schedule", `/recurringruns/new?pipelineId=${hello}`],
    ["artifacts", "/artifacts"],
    ["artifact", `/artifacts/${data}`],
    ["system", "/system"],
    ["nowhere", "/nowhere"],
  ];
  for (const theme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    for (const [name, address] of pages) {
      await visit(page, address);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      await expect(page.getByText(/^(Loading|Reading|Drawing)/)).toHaveCount(0);
      // The graph comes to rest.
      await page.waitForTimeout(700);
      await page.screenshot({ path: `${PLACE}/${name}-${theme}.png` });
    }
  }
});
