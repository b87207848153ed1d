import { expect, it } from "vitest";
import { fitting } from "./fit";

const COLUMNS = [
  { key: "state", width: "9rem" },
  { key: "name" },
  { key: "parameters.rate", width: "7rem" },
  { key: "pipeline", width: "13rem" },
  { key: "experiment", width: "11rem" },
  { key: "started", width: "11.5rem" },
  { key: "took", width: "7rem" },
];
const keys = (width: number | undefined) =>
  fitting(COLUMNS, width, ["experiment", "pipeline", "took"]).map((it) => it.key);

it("leaves out what is worth least, one after the other, and never the name or what was chosen", () => {
  const all = COLUMNS.map((it) => it.key);
  expect(keys(undefined)).toEqual(all);
  expect(keys(80)).toEqual(all);
  expect(keys(79)).toEqual(all.filter((key) => key !== "experiment"));
  expect(keys(60)).toEqual(["state", "name", "parameters.rate", "started", "took"]);
  expect(keys(10)).toEqual(["state", "name", "parameters.rate", "started"]);
});
