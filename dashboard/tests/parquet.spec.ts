/** Parquet files, as pandas writes them, that a task has put out. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import type { Run } from "../src/api/kfp";
import { api, expect, fresh, succeeded, test, upload, visit } from "./site";

/** Four rows of nine columns: `make.py` beside it says what is in them. */
const FILE = join(import.meta.dirname, "../../apiserver/testdata/parquet/snappy.parquet");

async function isShown(page: Page) {
  const preview = page.getByRole("region", { name: "Rows" });
  const columns = ["id", "share", "small", "ok", "name", "day", "at", "price", "tags"];
  const kinds = ["integer", "number", "number", "boolean", "string", "string", "string", "number", "array"];
  await expect(preview.getByRole("columnheader")).toHaveText(columns.map((name, at) => name + kinds[at]));
  const cells = (row: number) => preview.getByRole("row").nth(row).getByRole("cell");
  await expect(cells(1)).toHaveText([
    "1",
    "0.5",
    "0.1",
    "true",
    "a",
    "2026-08-01",
    "2026-08-01T10:00:00Z",
    "1.50",
    '["x","y"]',
  ]);
  await expect(cells(2).nth(1)).toHaveText("–");
  await expect(cells(2).nth(4)).toHaveText('ä "b"');
  // It is more than a number of JavaScript can hold.
  await expect(cells(4).first()).toHaveText("9007199254740993");
  await expect(page.getByText("4 rows.", { exact: true })).toBeVisible();
}

test("a Parquet file is shown as a table, whatever it is called", async ({ page }) => {
  const { pipeline_id: pipeline } = await upload(
    "parquet",
    readFileSync(join(import.meta.dirname, "pipelines/parquet.yaml")),
  );
  const { run_id: id } = await api<Run>("apis/v2beta1/runs", {
    display_name: fresh("parquet"),
    pipeline_version_reference: { pipeline_id: pipeline },
    runtime_config: { parameters: { base64: readFileSync(FILE).toString("base64") } },
  });
  await succeeded(id);
  const { artifacts = [] } = await api<{ artifacts?: { artifact_id: string; name: string }[] }>(
    `apis/penstock/v1/artifacts?run_id=${id}`,
  );
  expect(artifacts.map(({ name }) => name).sort()).toEqual(["named", "unnamed"]);
  for (const { artifact_id: artifact, name } of artifacts) {
    await visit(page, `/artifacts/${artifact}`);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText(name);
    await isShown(page);
  }
});
