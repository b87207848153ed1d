import { expect, it } from "vitest";
import { inCode, isolated } from "./bidi";
import { asCurl, asPython } from "./snippets";

it("has nothing left to turn around what follows a name", () => {
  expect(isolated("a\u202eb\u2067")).toBe("\u2068ab\u2069");
  expect(isolated("שלום")).toBe("\u2068שלום\u2069");
  expect(isolated("nightly · 1")).toBe("nightly · 1");
});

it("shows in code what would turn it around", () => {
  expect(inCode('"a\u202eb \u061c"')).toBe('"a\\u202eb \\u061c"');
  const name = "run \u202e2026";
  const source = { pipelineId: "p", versionId: "v" };
  const python = asPython({ host: "http://localhost", name, source, parameters: { "k\u2066": [name] } });
  expect(python).toContain('job_name="run \\u202e2026"');
  expect(python).toContain('"k\\u2066": ["run \\u202e2026"]');
  const body = asCurl("http://localhost", { display_name: name }, false).match(/\{.*\}/su)?.[0] ?? "";
  expect(body).toContain("\\u202e");
  expect(JSON.parse(body)).toEqual({ display_name: name });
});
