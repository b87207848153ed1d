/** Several teams on one server: whose things are shown, and that only those are offered which somebody may look at. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { apiserver, type Program } from "./program";
import { type Front, proxy } from "./proxy";
import { expect, fresh, open, test } from "./site";

const RULES = `rules:
  - {users: [ann], namespaces: [team-a, team-b, team-empty], may: edit}
  - {users: [bob], namespaces: [team-c], may: edit}
`;

/** A cluster that knows nothing: nobody carries out runs here. */
async function cluster(): Promise<Server> {
  const server = createServer((_, reply) => {
    const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", reason: "NotFound", code: 404 };
    reply.writeHead(404, { "content-type": "application/json" }).end(JSON.stringify(status));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return server;
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

async function freePort(): Promise<number> {
  const server = await cluster();
  const port = portOf(server);
  await new Promise<unknown>((closed) => server.close(closed));
  return port;
}

let directory: string;
let stand: Server;
let server: Program;

test.describe.configure({ mode: "serial" });

test.beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "penstock-namespaces-"));
  stand = await cluster();
  const file = (name: string, content: string) => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };
  const kubeconfig = file(
    "kubeconfig",
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "c",
      users: [{ name: "u", user: {} }],
      clusters: [{ name: "c", cluster: { server: `http://127.0.0.1:${portOf(stand)}` } }],
      contexts: [{ name: "c", context: { cluster: "c", user: "u", namespace: "penstock-system" } }],
    }),
  );
  const args = ["--multi-user", "--auth", "header", "--access-rules", file("rules.yaml", RULES)];
  const env = { PENSTOCK_DATA_DIR: join(directory, "data"), HOME: directory };
  server = await apiserver([...args, "--kubeconfig", kubeconfig], await freePort(), env);
  for (const [user, namespace, name] of [
    ["ann", "team-a", "moonshot"],
    ["ann", "team-b", "sunshot"],
    ["bob", "team-c", "secret"],
  ]) {
    const response = await fetch(`${server.url}apis/v2beta1/experiments`, {
      method: "POST",
      headers: { "content-type": "application/json", "kubeflow-userid": user ?? "" },
      body: JSON.stringify({ display_name: name, namespace }),
    });
    expect(response.status, await response.text()).toBe(200);
  }
});

test.afterAll(async () => {
  await server?.stop();
  stand?.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Opens a page as a user, whom a proxy in front names. */
async function as(user: string, sites: string[]): Promise<Front> {
  const front = await proxy("/", server.url, { "kubeflow-userid": user });
  sites.push(front.url);
  return front;
}

const choice = (page: Page) => page.getByRole("combobox", { name: "Namespace" });
const experiment = (page: Page, name: string) => page.getByRole("link", { name, exact: true });

test("the namespaces of a user are offered, and the choice is kept", async ({ page, sites }) => {
  const front = await as("ann", sites);
  await open(page, `${front.url}#/experiments`);
  // Something has to be chosen: the first.
  await expect(choice(page)).toHaveValue("team-a");
  await expect(choice(page).getByRole("option")).toHaveText(["team-a", "team-b", "Another…"]);
  await expect(experiment(page, "moonshot")).toBeVisible();
  await expect(experiment(page, "sunshot")).toBeHidden();
  await choice(page).selectOption("team-b");
  await expect(experiment(page, "sunshot")).toBeVisible();
  await expect(experiment(page, "moonshot")).toBeHidden();
  await expect(page.getByRole("status").filter({ hasText: "Live" })).toBeVisible();
  await page.reload();
  await expect(choice(page)).toHaveValue("team-b");
  await expect(experiment(page, "sunshot")).toBeVisible();
  await front.stop();
});

test("what is made is of the namespace that is chosen, and is seen at once", async ({ page, sites }) => {
  const front = await as("ann", sites);
  await open(page, `${front.url}?ns=team-b#/experiments`);
  await expect(experiment(page, "sunshot")).toBeVisible();
  const name = fresh("made here");
  await page.getByRole("button", { name: /New experiment/ }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(/Name/).fill(name);
  await dialog.getByRole("button", { name: /Create|Make/ }).click();
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
  const found = await fetch(`${server.url}apis/v2beta1/experiments?namespace=team-b`, {
    headers: { "kubeflow-userid": "ann" },
  });
  expect(await found.text()).toContain(name);
  await front.stop();
});

test("an address names the namespace, as Kubeflow's dashboard hands it on", async ({ page, sites }) => {
  const front = await as("ann", sites);
  await open(page, `${front.url}?ns=team-b#/experiments`);
  await expect(choice(page)).toHaveValue("team-b");
  await expect(experiment(page, "sunshot")).toBeVisible();
  await choice(page).selectOption("team-a");
  await expect(page).toHaveURL(/\?ns=team-a#\/experiments/);
  await page.reload();
  await expect(choice(page)).toHaveValue("team-a");
  await expect(experiment(page, "moonshot")).toBeVisible();
  await front.stop();
});

test("a namespace that has nothing yet is typed, and one of others is refused with the reason", async ({
  page,
  sites,
}) => {
  const front = await as("ann", sites);
  await open(page, `${front.url}#/experiments`);
  await expect(choice(page)).toHaveValue("team-a");
  const type = async (name: string) => {
    await choice(page).selectOption({ label: "Another…" });
    const field = page.getByRole("textbox", { name: "Namespace" });
    await field.fill(name);
    await field.press("Enter");
  };
  await type("team-empty");
  await expect(choice(page)).toHaveValue("team-empty");
  await expect(page.locator("main")).toContainText(/no experiments/i);
  await type("team-c");
  await expect(choice(page)).toContainText("team-c (not yours)");
  await expect(page.locator("main")).toContainText("is not authorized");
  await expect(experiment(page, "secret")).toBeHidden();
  await front.stop();
});

test("who may look at nothing is asked for a namespace", async ({ page, sites }) => {
  const front = await as("eve", sites);
  await open(page, `${front.url}#/system`);
  await expect(page.getByRole("textbox", { name: "Namespace" })).toBeVisible();
  await expect(page.locator("main")).toContainText("Multi-user; you are eve");
  await expect(page.locator("main")).toContainText("It is told to those who may look at the runs of a namespace");
  await front.stop();
});
