/** What the form of a run keeps, and the code that it shows beside itself. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Page } from "@playwright/test";
import type { Experiment, Run, RunPage } from "../src/api/kfp";
import { api, ended, expect, finished, fresh, sample, test, upload, visit } from "./site";

const execute = promisify(execFile);
const rows = (page: Page) => page.getByRole("textbox", { name: "rows" });
const nameOf = (page: Page) => page.getByRole("textbox", { name: "Name", exact: true });
const code = (page: Page) => page.getByRole("tabpanel", { name: "Code" });

test("what is chosen and typed survives a reload", async ({ page }) => {
  const pipeline = await upload("hello", sample("hello"));
  await visit(page, "/runs/new");
  await expect(code(page)).toBeHidden();
  await page.getByRole("combobox", { name: /Pipeline/ }).fill(pipeline.display_name);
  await page.getByRole("option", { name: pipeline.display_name }).click();
  await rows(page).fill("13");
  await nameOf(page).fill("kept");
  await page.getByRole("textbox", { name: "Description" }).fill("for later");
  await page.getByRole("combobox", { name: "Results from the cache" }).selectOption("off");
  await page.getByText("More settings").click();
  await page.getByRole("textbox", { name: "Service account" }).fill("trainer");
  await expect(page).toHaveURL(new RegExp(`pipelineId=${pipeline.pipeline_id}`));
  await page.reload();
  await expect(rows(page)).toHaveValue("13");
  await expect(nameOf(page)).toHaveValue("kept");
  await expect(page.getByRole("textbox", { name: "Description" })).toHaveValue("for later");
  await expect(page.getByRole("combobox", { name: "Results from the cache" })).toHaveValue("off");
  await expect(page.getByRole("textbox", { name: "Service account" })).toHaveValue("trainer");
  await expect(page.getByRole("combobox", { name: /Pipeline/ })).toHaveValue(pipeline.display_name);
});

test("leaving with something typed asks first, whichever way it is left", async ({ page }) => {
  const pipeline = await upload("hello", sample("hello"));
  const isForm = /runs\/new/;
  await visit(page, "/pipelines");
  await page.getByRole("searchbox").fill(pipeline.display_name);
  await expect(page).toHaveURL(/name=hello/);
  const row = page.getByRole("row", { name: new RegExp(pipeline.display_name) });
  await row.getByRole("link", { name: "Run", exact: true }).click();
  await rows(page).fill("13");
  const dialog = page.getByRole("dialog", { name: "Leave without starting the run?" });
  const stay = async () => {
    await expect(dialog).toBeVisible();
    await expect(page).toHaveURL(isForm);
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await expect(dialog).toBeHidden();
    await expect(rows(page)).toHaveValue("13");
  };
  await page.getByRole("link", { name: "Experiments" }).click();
  await stay();
  // Back, as the browser's own button does it; the test's would wait for a page that does not come.
  const back = () => page.evaluate(() => history.back());
  await back();
  await stay();
  await page.evaluate(() => {
    location.hash = "#/artifacts";
  });
  await stay();
  await page.getByRole("button", { name: "Start the run" }).focus();
  await page.keyboard.press("g");
  await page.keyboard.press("s");
  await stay();
  await back();
  await dialog.getByRole("button", { name: "Leave" }).click();
  await expect(page).toHaveURL(/#\/pipelines/);
  // It was thrown away, as was said; and without anything typed nobody is asked.
  await page.goForward();
  await expect(rows(page)).toHaveValue("");
  await page.getByRole("link", { name: "Experiments" }).click();
  await expect(page).toHaveURL(/#\/experiments/);
});

/** What a run has that was begun by some program. */
async function begun(name: string): Promise<Run> {
  const filter = JSON.stringify({ predicates: [{ key: "name", operation: "EQUALS", string_value: name }] });
  const { runs = [] } = await api<RunPage>(`apis/v2beta1/runs?${new URLSearchParams({ filter })}`);
  const [run, ...others] = runs;
  expect(others).toEqual([]);
  expect(run, `a run called ${name}`).toBeDefined();
  return ended(run?.run_id ?? "");
}

const python = () => process.env.PENSTOCK_TEST_PYTHON ?? "python3";

test("the code for Python starts the run that the form would start", async ({ page }) => {
  const pipeline = await upload("hello", sample("hello"));
  const experiment = await api<Experiment>("apis/v2beta1/experiments", { display_name: fresh("from code") });
  const name = fresh(`it's "quoted" $HOME`);
  await visit(page, `/runs/new?pipelineId=${pipeline.pipeline_id}&experimentId=${experiment.experiment_id}`);
  await rows(page).fill("12");
  await nameOf(page).fill(name);
  const run = async (title: string) => {
    await execute(python(), ["-c", (await code(page).locator("pre").textContent()) ?? ""]);
    return begun(title);
  };
  const plain = await run(name);
  expect(plain).toMatchObject({ state: "SUCCEEDED", experiment_id: experiment.experiment_id });
  expect(plain.pipeline_version_reference?.pipeline_id).toBe(pipeline.pipeline_id);
  expect(plain.runtime_config?.parameters).toEqual({ rows: 12 });

  await nameOf(page).fill(`${name} whole`);
  await page.getByRole("textbox", { name: "Description" }).fill('two "words"\\n');
  await page.getByRole("combobox", { name: "Results from the cache" }).selectOption("off");
  await page.getByText("More settings").click();
  await page.getByRole("textbox", { name: "Service account" }).fill("trainer");
  const whole = await run(`${name} whole`);
  expect(whole).toMatchObject({
    experiment_id: experiment.experiment_id,
    description: 'two "words"\\n',
    service_account: "trainer",
    plugins_input: { penstock: { enable_caching: false } },
  });
  expect(whole.pipeline_version_reference?.pipeline_version_id).toBe(
    plain.pipeline_version_reference?.pipeline_version_id,
  );
  expect(whole.runtime_config?.parameters).toEqual({ rows: 12 });
});

test("the command line starts it too, and HTTP; a run that brought its pipeline has it fetched", async ({ page }) => {
  const directory = mkdtempSync(join(tmpdir(), "penstock-command-"));
  const program = process.env.PENSTOCK_TEST_PROGRAM ?? "";
  const path = `${dirname(program)}:${dirname(python())}:${process.env.PATH}`;
  const env = { ...process.env, PATH: path, PENSTOCK_DATA_DIR: directory };
  const run = async (tab: string, title: string) => {
    await page.getByRole("tab", { name: tab }).click();
    await execute("sh", ["-c", (await code(page).locator("pre").textContent()) ?? ""], { env });
    return begun(title);
  };
  const pipeline = await upload("hello", sample("hello"));
  const name = fresh(`it's "quoted" $HOME`);
  await visit(page, `/runs/new?pipelineId=${pipeline.pipeline_id}`);
  await rows(page).fill("14");
  await nameOf(page).fill(name);
  await page.getByRole("textbox", { name: "Description" }).fill("unsaid");
  const command = await run("Command line", name);
  expect(command).toMatchObject({ state: "SUCCEEDED", runtime_config: { parameters: { rows: 14 } } });
  await expect(code(page)).toContainText('# No flag says the description: "unsaid"');
  await nameOf(page).fill(`${name} http`);
  expect(await run("HTTP", `${name} http`)).toMatchObject({ description: "unsaid" });

  await page.evaluate((id) => {
    location.hash = `#/runs/new?cloneFromRun=${id}`;
  }, command.run_id);
  await page.getByRole("dialog").getByRole("button", { name: "Leave" }).click();
  await nameOf(page).fill(`${name} again`);
  const again = await run("Command line", `${name} again`);
  expect(again.runtime_config?.parameters).toEqual({ rows: 14 });
  await nameOf(page).fill(`${name} python`);
  await page.getByRole("tab", { name: "Python" }).click();
  await execute(python(), ["-c", (await code(page).locator("pre").textContent()) ?? ""]);
  expect((await begun(`${name} python`)).state).toBe("SUCCEEDED");
  rmSync(directory, { recursive: true, force: true });
});

test("a structure is changed from its default, and laid out", async ({ page }) => {
  const pipeline = await upload("parameter_types", sample("parameter_types"));
  await visit(page, `/runs/new?pipelineId=${pipeline.pipeline_id}`);
  const options = page.getByRole("textbox", { name: "options" });
  await expect(options).toHaveValue("");
  await page.getByRole("button", { name: "Begin with the default of options" }).click();
  await expect(options).toHaveValue('{\n  "dropout": 0.1,\n  "momentum": 0.9\n}');
  await expect(page.getByRole("button", { name: "Begin with the default of options" })).toBeHidden();
  await options.fill('{"dropout": 0.3,"momentum":0.9}');
  await page.getByRole("button", { name: "Format options" }).click();
  await expect(options).toHaveValue('{\n  "dropout": 0.3,\n  "momentum": 0.9\n}');
  await expect(code(page)).toContainText('"dropout": 0.3');
  await page.getByRole("button", { name: "Leave options to its default" }).click();
  await expect(options).toHaveValue("");
});

test("code is as wide as it needs at 1280 pixels, and no word of it is broken", async ({ page }) => {
  await page.setViewportSize({ width: 1280, height: 900 });
  const { run_id } = await finished("hello");
  await visit(page, `/runs/new?cloneFromRun=${run_id}`);
  const tabs = page.getByRole("tablist", { name: "Language" });
  await expect(tabs).toBeVisible();
  expect(await tabs.evaluate((it) => it.scrollWidth - it.clientWidth)).toBe(0);
  const block = code(page).locator("pre");
  expect((await block.boundingBox())?.width).toBeGreaterThan(600);
  await expect(block).toHaveCSS("white-space", "pre");
});

test("code leaves out what is not right yet, and says so", async ({ page }) => {
  const { run_id } = await finished("hello");
  await visit(page, `/runs/new?cloneFromRun=${run_id}`);
  await rows(page).fill("many");
  await expect(page.getByText("One parameter is not right yet, and left out here.")).toBeVisible();
});
