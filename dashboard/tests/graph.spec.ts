/** A graph of more boxes than a page can have as elements: from afar they are a picture, and can still be worked with. */
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { flat } from "../bench/pipelines";
import type { PipelineSpec } from "../src/api/penstock";
import { graphOf } from "../src/model/graph";
import { insideOf } from "../src/model/graphBoxes";
import { layOut } from "../src/model/layout";
import { api, expect, test, upload, visit } from "./site";

const COUNT = 400;
const graph = (page: Page) => page.getByRole("region", { name: /^Graph of tasks/ });
const picture = (page: Page) => graph(page).getByRole("img", { name: `${COUNT} boxes, seen from afar` });

/** Where the middle of a task's box is on the screen. */
async function middleOf(page: Page, spec: PipelineSpec, task: string): Promise<{ x: number; y: number }> {
  const closed = { isOpen: () => false, iterationOf: () => undefined };
  const { places } = layOut(insideOf(graphOf(spec, undefined, closed)));
  const place = places.find(({ id }) => id === task);
  if (!place) {
    throw new Error(`${task} has no box`);
  }
  const moved = await page.locator(".react-flow__viewport").evaluate((element) => {
    const { e, f, a } = new DOMMatrix(getComputedStyle(element).transform);
    const frame = element.closest(".react-flow")?.getBoundingClientRect();
    return { x: e + (frame?.x ?? 0), y: f + (frame?.y ?? 0), zoom: a };
  });
  return {
    x: moved.x + (place.x + place.width / 2) * moved.zoom,
    y: moved.y + (place.y + place.height / 2) * moved.zoom,
  };
}

/** The page of a large pipeline, whose graph is seen whole. Returns the pipeline as the server has it. */
async function openWhole(page: Page): Promise<PipelineSpec> {
  const { pipeline_id: id } = await upload("large", flat(COUNT));
  const { pipeline_versions: versions = [] } = await api<{ pipeline_versions?: { pipeline_spec: PipelineSpec }[] }>(
    `apis/v2beta1/pipelines/${id}/versions`,
  );
  await visit(page, `/pipelines/details/${id}`);
  await expect(graph(page).getByRole("button").first()).toBeVisible();
  await page.getByRole("button", { name: /^Fit the graph/ }).click();
  await expect(picture(page)).toBeVisible();
  const spec = versions[0]?.pipeline_spec;
  if (!spec) {
    throw new Error(`pipeline ${id} has no version`);
  }
  return spec;
}

test("boxes of a picture are pointed at, chosen and walked by keys", async ({ page }) => {
  const spec = await openWhole(page);
  await expect.poll(() => graph(page).locator(".react-flow__node").count()).toBeLessThan(5);
  const { x, y } = await middleOf(page, spec, "task-123");
  await page.mouse.move(x, y);
  const box = graph(page).getByRole("button", { name: /^task-123\b/ });
  await expect(box).toBeVisible();
  await page.mouse.click(x, y);
  await expect(page).toHaveURL(/task=task-123/);
  await expect(box).toHaveAttribute("aria-pressed", "true");
  await box.focus();
  await page.keyboard.press("ArrowDown");
  await expect(box).not.toBeFocused();
  await expect(
    graph(page)
      .getByRole("button", { name: /^task-/ })
      .and(page.locator(":focus")),
  ).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/task=task-(?!123\b)\d+/);
});

test("a picture is accessible, and what is searched in it is shown near", async ({ page }) => {
  await openWhole(page);
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.filter((it) => it.impact === "serious" || it.impact === "critical")).toEqual([]);
  const field = page.getByRole("searchbox", { name: "Find a task" });
  await field.fill("task-321");
  await field.press("Enter");
  await expect(picture(page)).toBeHidden();
  const found = graph(page).getByRole("button", { name: /^task-321\b/ });
  await expect(found).toBeInViewport();
  await expect(found).toHaveAccessibleName(/task-321/);
});
