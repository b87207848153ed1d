/**
 * How the Pod of an attempt is shown. No cluster is at hand here: the run is a real one, and what the server would say of
 * a Pod is put in its place. That it says so is tested on a cluster.
 */
import type { Tree } from "../src/api/penstock";
import { expect, finished, home, test, visit } from "./site";

const NAME = "hello-abcde-prepare-0";

/** A number that no other run has: nothing comes from the cache. */
const rows = () => 1_000 + Math.floor(Math.random() * 9_000);

test("a Pod that waits says for what, and what happened to it", async ({ page }) => {
  const run = await finished("hello", { parameters: { rows: rows() } });
  await page.route(/\/runs\/[^/]+\/tree/, async (route) => {
    const response = await route.fetch();
    const tree = (await response.json()) as Tree;
    for (const attempt of tree.nodes.find(({ path }) => path === "prepare")?.attempts ?? []) {
      attempt.pod_name = NAME;
    }
    await route.fulfill({ response, json: tree });
  });
  const pod = {
    name: NAME,
    namespace: "team",
    phase: "Pending",
    containers: [
      { name: "penstock-launcher", image: "penstock:1", state: "running", restarts: 2 },
      { name: "main", image: "x:1", state: "waiting", reason: "ErrImagePull", message: "not found", restarts: 0 },
    ],
    conditions: [
      { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/3 nodes are available" },
    ],
    events: [{ at: new Date().toISOString(), type: "Warning", reason: "Failed", message: "Failed to pull", count: 3 }],
  };
  let isThere = true;
  await page.route(/\/attempts\/0\/pod$/, (route) =>
    isThere
      ? route.fulfill({ json: pod })
      : route.fulfill({ status: 404, json: { code: 5, message: "it does not exist yet, or no longer" } }),
  );
  await visit(page, `/runs/details/${run.run_id}?view=table&task=prepare&tab=details`);
  const panel = page.getByRole("complementary", { name: /prepare/ });
  await expect(panel).toContainText("team/hello-abcde-prepare-0");
  await expect(panel).toContainText("waiting: ErrImagePull: not found");
  await expect(panel).toContainText("restarted 2 times");
  await expect(panel).toContainText("Unschedulable: 0/3 nodes are available");
  await expect(panel.getByRole("table", { name: "Events" })).toContainText("Failed ×3");
  isThere = false;
  await page.reload();
  await expect(panel).toContainText("it does not exist yet, or no longer");
});

test("the server says why an attempt on one machine has no Pod", async ({ page, request }) => {
  const run = await finished("hello", { parameters: { rows: rows() } });
  const response = await request.get(`${home()}apis/penstock/v1/runs/${run.run_id}/tasks/prepare/attempts/0/pod`);
  expect(response.status()).toBe(404);
  expect(await response.text()).toContain("it is a process, which has no Pod");
  await visit(page, `/runs/details/${run.run_id}?view=table&task=prepare&tab=details`);
  const panel = page.getByRole("complementary", { name: /prepare/ });
  await expect(panel.getByRole("heading", { name: "Command" })).toBeVisible();
  await expect(panel.getByRole("heading", { name: "Pod" })).toBeHidden();
});
