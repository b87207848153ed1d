import { expect, it } from "vitest";
import { isTouched, readKept } from "./kept";

const FIRST = { name: "", description: "", caching: "" as const, pipelineRoot: "", serviceAccount: "" };

it("comes back as it was kept", () => {
  const kept = { typed: { ...FIRST, name: "n", caching: "off" as const }, given: { rows: "12" } };
  expect(readKept(JSON.stringify(kept), FIRST)).toEqual(kept);
  expect(readKept(null, FIRST)).toEqual({ typed: FIRST });
});

it("takes nothing from what is not its own", () => {
  for (const text of ["", "[", "null", "7", '{"typed":{"name":7,"other":"x"}}']) {
    expect(readKept(text, FIRST)).toEqual({ typed: FIRST });
  }
  expect(readKept('{"given":{"a":"1","b":2}}', FIRST).given).toEqual({ a: "1" });
});

it("is touched once it differs from where it began", () => {
  expect(isTouched({ typed: FIRST }, FIRST)).toBe(false);
  expect(isTouched({ typed: { ...FIRST, description: "d" } }, FIRST)).toBe(true);
  expect(isTouched({ typed: FIRST, given: {} }, FIRST)).toBe(true);
});
