/** What tests do to the server beside looking at its pages, and pages that tell of what they should not have done. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test as base, expect, type Page, type Request } from "@playwright/test";
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

const END_MS = 120_000;

/** A run, once it has ended. */
export async function ended(run_id: string): Promise<Run> {
  const deadline = Date.now() + END_MS;
  for (;;) {
    const run = await api<Run>(`apis/v2beta1/runs/${run_id}`);
    if (ENDED.includes(run.state ?? "")) {
      return run;
    }
    if (Date.now() > deadline) {
      throw new Error(`run ${run_id} does not end: it is ${run.state}`);
    }
    await new Promise((later) => setTimeout(later, 200));
  }
}

/** A run that has ended well. */
export async function succeeded(run_id: string): Promise<Run> {
  const run = await ended(run_id);
  expect(run.state, run.error?.message).toBe("SUCCEEDED");
  return run;
}

/** What Chromium makes of requests when this machine gets or loses a network, as with containers that start on it. */
const INTERRUPTED = "net::ERR_NETWORK_CHANGED";
const OFTEN = 5;

/** Opens an address. What was interrupted on the way is opened again: parts that come later the page itself asks for again. */
export async function open(page: Page, url: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    let isInterrupted = false;
    const look = (request: Request) => {
      const isWhole = ["document", "script", "stylesheet"].includes(request.resourceType());
      isInterrupted ||= isWhole && request.failure()?.errorText === INTERRUPTED;
    };
    page.on("requestfailed", look);
    try {
      await page.goto(url);
    } catch (reason) {
      if (!String(reason).includes(INTERRUPTED)) {
        throw reason;
      }
      isInterrupted = true;
    } finally {
      page.off("requestfailed", look);
    }
    if (!isInterrupted || tries === OFTEN) {
      return;
    }
    // The same address would be the same page, as it stands.
    await page.goto("about:blank");
  }
}

/** Goes to the page of an address. */
export const visit = (page: Page, address: string) => open(page, `${home()}#${address}`);

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
