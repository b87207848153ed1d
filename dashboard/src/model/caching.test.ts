import { expect, it } from "vitest";
import { cachingOf, withCaching } from "./caching";

it("is said, changed and taken back, and what else is said stays", () => {
  const said = { mlflow: { name: "x" }, penstock: { enable_caching: false, cache_max_age: "24h" } };
  expect(cachingOf({ plugins_input: said })).toBe("off");
  expect(withCaching(said, "on")).toEqual({
    mlflow: { name: "x" },
    penstock: { enable_caching: true, cache_max_age: "24h" },
  });
  expect(withCaching(said, "")).toEqual({ mlflow: { name: "x" }, penstock: { cache_max_age: "24h" } });
  expect(withCaching({ penstock: { enable_caching: true } }, "")).toEqual({});
  expect(withCaching(undefined, "off")).toEqual({ penstock: { enable_caching: false } });
});
