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
  fitting(COLUMNS, width, ["experiment", "pipeline", "took"], true).map((it) => it.key);

it("leaves out what is worth least, one after the other, and never the name or what was chosen", () => {
  const all = COLUMNS.map((it) => it.key);
  expect(keys(undefined)).toEqual(all);
  expect(keys(80)).toEqual(all);
  expect(keys(79)).toEqual(all.filter((key) => key !== "experiment"));
  expect(keys(60)).toEqual(["state", "name", "parameters.rate", "started", "took"]);
  expect(keys(10)).toEqual(["state", "name", "parameters.rate", "started"]);
});

it("counts what a column says that it needs, and the boxes only where rows are chosen", () => {
  const columns = [
    { key: "name", least: "12rem" },
    { key: "metadata", least: "12rem" },
    { key: "size", width: "6rem" },
  ];
  const shown = (width: number, hasChecks: boolean) =>
    fitting(columns, width, ["size", "metadata"], hasChecks).map((it) => it.key);
  expect(shown(30, false)).toEqual(["name", "metadata", "size"]);
  expect(shown(30, true)).toEqual(["name", "metadata"]);
  expect(shown(20, false)).toEqual(["name"]);
});
