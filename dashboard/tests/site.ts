/** What tests do to the server beside looking at its pages, and pages that tell of what they should not have done. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test as base, expect, type Page } from "@playwright/test";
import type { Json, Pipeline, Run } from "../src/api/kfp";

const SAMPLES = join(import.meta.dirname, "../../tests/pipelines");

export const home = () => process.env.PENSTOCK_URL ?? "";

export async function api<T>(path: string, body?: unknown, site = home()): Promise<T> {
  const asked: RequestInit =
    body === undefined
      ? {}
      : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(site + path, asked);
  if (!response.ok) {
    throw new Error(`${path}: ${response.status} ${await response.text()}`);
  }
  return (await response.json()) as T;
}

/** The compiled sample of a name. */
export const sample = (name: string) => readFileSync(join(SAMPLES, `${name}.yaml`));

let count = 0;

/** A name that no other test uses. */
export const fresh = (name: string) => `${name} ${process.pid}-${++count}`;

export async function upload(
  name: string,
  text: Buffer | string,
  title = fresh(name),
  site = home(),
): Promise<Pipeline> {
  const form = new FormData();
  form.set("uploadfile", new File([typeof text === "string" ? text : new Uint8Array(text)], `${name}.yaml`));
  const query = new URLSearchParams({ name: title });
  const response = await fetch(`${site}apis/v2beta1/pipelines/upload?${query}`, { method: "POST", body: form });
  if (!response.ok) {
    throw new Error(`upload of ${name}: ${response.status} ${await response.text()}`);
  }
  return (await response.json()) as Pipeline;
}

export async function submit(
  name: string,
  { parameters = {}, title = fresh(name) }: { parameters?: Record<string, Json>; title?: string } = {},
): Promise<Run> {
  const pipeline = await upload(name, sample(name));
  return api<Run>("apis/v2beta1/runs", {
    display_name: title,
    pipeline_version_reference: { pipeline_id: pipeline.pipeline_id },
    runtime_config: { parameters },
  });
}

const ENDED = ["SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"];

/** A run of a sample that has ended. */
export async function finished(name: string, options: Parameters<typeof submit>[1] = {}): Promise<Run> {
  const { run_id } = await submit(name, options);
  return ended(run_id);
}

/** A run, once it has ended. */
export async function ended(run_id: string): Promise<Run> {
  for (let tries = 0; tries < 300; tries += 1) {
    const run = await api<Run>(`apis/v2beta1/runs/${run_id}`);
    if (ENDED.includes(run.state ?? "")) {
      return run;
    }
    await new Promise((later) => setTimeout(later, 200));
  }
  throw new Error(`run ${run_id} does not end`);
}

/** Goes to the page of an address. */
export const visit = (page: Page, address: string) => page.goto(`${home()}#${address}`);

/** A test whose page may not fail, complain or ask any other host. */
export const test = base.extend<{ quiet: string[]; mayBlock: boolean; sites: string[] }>({
  /** Below which addresses the page may ask; tests with a server of their own add it. */
  // biome-ignore lint/correctness/noEmptyPattern: where a fixture says what it needs
  sites: async ({}, use) => use([home()]),
  /** Whether the browser may say that it has kept something of a user's from running. */
  mayBlock: [false, { option: true }],
  quiet: [
    async ({ page, mayBlock, sites }, use) => {
      const complaints: string[] = [];
      page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
      page.on("console", (message) => {
        // A refusal by the server is shown on the page, and the browser says it too.
        const text = message.text();
        const isKnown =
          text.startsWith("Failed to load resource") || (mayBlock && text.includes("Content Security Policy"));
        if (message.type() === "error" && !isKnown) {
          complaints.push(`console: ${text}`);
        }
      });
      page.on("request", (request) => {
        const address = request.url();
        if (!sites.some((site) => address.startsWith(site)) && !/^(data|blob):/.test(address)) {
          complaints.push(`request: ${address}`);
        }
      });
      await use(complaints);
      expect(complaints).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };
