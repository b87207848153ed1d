/** Pipelines: their tags, and files that are dropped. */
import type { Page } from "@playwright/test";
import type { Pipeline, PipelineVersion } from "../src/api/kfp";
import { api, expect, fresh, sample, test, upload, visit } from "./site";

const heading = (page: Page) => page.getByRole("heading", { level: 1 });

test("a pipeline shows its tags, and its version's; they are changed and taken away", async ({ page }) => {
  const { pipeline_id: id } = await upload("hello", sample("hello"));
  await visit(page, `/pipelines/details/${id}`);
  const tag = async (whose: string, tags: Record<string, string>) => {
    await page.getByRole("button", { name: `Tags of the ${whose}` }).click();
    const dialog = page.getByRole("dialog");
    for (const [index, [name, value]] of Object.entries(tags).entries()) {
      await dialog.getByRole("button", { name: "Add a tag" }).click();
      await dialog.getByRole("textbox", { name: `Tag ${index + 1}`, exact: true }).fill(name);
      await dialog.getByRole("textbox", { name: `Value of tag ${index + 1}` }).fill(value);
    }
    await dialog.getByRole("button", { name: "Save" }).click();
  };
  await tag("pipeline", { team: "search", stage: "trial" });
  await expect(page.getByRole("dialog")).toBeHidden();
  await expect(page.getByText("team: search")).toBeVisible();
  await tag("version", { "a.b": "refused" });
  await expect(page.getByRole("alert")).toContainText("must not contain '.'");
  await page.getByRole("dialog").getByRole("textbox", { name: "Tag 1", exact: true }).fill("model");
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("model: refused")).toBeVisible();
  await page.getByRole("button", { name: "Tags of the pipeline" }).click();
  // They come by name.
  await page.getByRole("button", { name: "Take away tag 2" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("team: search")).toBeHidden();
  await expect(page.getByText("stage: trial")).toBeVisible();
  expect((await api<Pipeline>(`apis/v2beta1/pipelines/${id}`)).tags).toEqual({ stage: "trial" });
});

test("a version's source is what was uploaded", async ({ page, request }) => {
  const text = sample("hello").toString();
  const { pipeline_id: id } = await upload("hello", text);
  await visit(page, `/pipelines/details/${id}?view=source`);
  const panel = page.getByRole("tabpanel", { name: "source" });
  // Comments are nowhere else.
  await expect(panel).toContainText("# PIPELINE DEFINITION");
  const link = panel.getByRole("link", { name: "Download" });
  await expect(link).toHaveAttribute("download", /\.yaml$/);
  const address = await link.evaluate((it: HTMLAnchorElement) => it.href);
  expect(await (await request.get(address)).text()).toBe(text);
});

/** Lets go of a file over a place, as a hand does it. */
async function drop(page: Page, place: string, name: string, text: string) {
  const data = await page.evaluateHandle(
    ([name, text]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([text ?? ""], name ?? "", { type: "text/yaml" }));
      return transfer;
    },
    [name, text],
  );
  await page.dispatchEvent(place, "dragover", { dataTransfer: data });
  await page.dispatchEvent(place, "drop", { dataTransfer: data });
}

test("a file that is dropped is shown as chosen, replaced by another, and uploaded with tags", async ({ page }) => {
  const name = fresh("dropped");
  await visit(page, "/pipelines");
  await expect(page.getByRole("button", { name: "Upload a pipeline" })).toBeVisible();
  await drop(page, "#main", "other.yaml", "a: [");
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("It may be dropped here");
  const chosen = () => dialog.getByLabel("File").evaluate((input: HTMLInputElement) => input.files?.[0]?.name);
  await expect.poll(chosen).toBe("other.yaml");
  await expect(dialog.getByRole("textbox", { name: "Name" })).toHaveValue("other");
  await drop(page, "dialog", "hello.yaml", sample("hello").toString());
  await expect.poll(chosen).toBe("hello.yaml");
  await dialog.getByRole("textbox", { name: "Name" }).fill(name);
  await dialog.getByRole("button", { name: "Add a tag" }).click();
  await dialog.getByRole("textbox", { name: "Tag 1", exact: true }).fill("team");
  await dialog.getByRole("textbox", { name: "Value of tag 1" }).fill("search");
  await dialog.getByRole("button", { name: "Upload", exact: true }).click();
  await expect(heading(page)).toHaveText(name);
  await expect(page.getByText("team: search")).toBeVisible();
  const id = /details\/([^/?]+)/.exec(page.url())?.[1];
  // A dropped file may be a new version as well, with tags of its own.
  await drop(page, "#main", "hello.yaml", sample("hello").toString());
  await dialog.getByRole("textbox", { name: "Name" }).fill("second");
  await dialog.getByRole("button", { name: "Add a tag" }).click();
  await dialog.getByRole("textbox", { name: "Tag 1", exact: true }).fill("stage");
  await dialog.getByRole("button", { name: "Upload", exact: true }).click();
  await expect(page.getByText("stage", { exact: true })).toBeVisible();
  const version = /version\/([^/?]+)/.exec(page.url())?.[1];
  const stored = await api<PipelineVersion>(`apis/v2beta1/pipelines/${id}/versions/${version}`);
  expect(stored.tags).toEqual({ stage: "" });
});

test("what is not there offers nothing to do with it", async ({ page }) => {
  for (const place of ["experiments", "pipelines"]) {
    await visit(page, `/${place}/details/00000000-0000-4000-8000-000000000000`);
    await expect(page.getByText("cannot be read")).toBeVisible();
    await expect(page.locator("#main header").getByRole("button")).toHaveCount(0);
    await expect(page.locator("#main header").getByRole("link", { name: /run|schedule/i })).toHaveCount(0);
  }
});
