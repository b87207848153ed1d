import { expect, it } from "vitest";
import { rowsOf, tagsOf } from "./tags";

const row = (name: string, value: string, id = name) => ({ id, name, value });

it("come back from their rows", () => {
  const tags = { team: "a", empty: "", __proto__x: "1" };
  expect(tagsOf(rowsOf(tags))).toEqual({ tags });
  expect(rowsOf(undefined)).toEqual([]);
});

it("are trimmed, and empty rows are none", () => {
  expect(tagsOf([row(" team ", " a "), row("", " ")])).toEqual({ tags: { team: "a" } });
});

it("are refused where one would be lost", () => {
  expect(tagsOf([row("team", "a"), row("team", "b", "2")])).toHaveProperty("reason");
  expect(tagsOf([row("", "a")])).toHaveProperty("reason");
});
