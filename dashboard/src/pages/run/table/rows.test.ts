import { describe, expect, it } from "vitest";
import type { TreeNode } from "../../../api/penstock";
import { type Asked, iterationsWith, rowsOf } from "./rows";

function node(number: number, path: string, more: Partial<TreeNode> = {}): TreeNode {
  return {
    ...{ node: number, key: path, name: path, path, task_id: path, kind: "CONTAINER", component: "comp" },
    ...{ status: "SUCCEEDED", phase: "ENDED", ...more },
  };
}

const NODES = [
  node(0, "", { kind: "ROOT" }),
  node(1, "train-10", { started_at: "2026-01-01T00:00:05Z", ended_at: "2026-01-01T00:00:09Z" }),
  node(2, "train-9", {
    status: "FAILED",
    started_at: "2026-01-01T00:00:01Z",
    failure: { cause: "USER", message: "exit 1" },
  }),
  node(3, "group", { kind: "DAG" }),
  node(4, "last", { status: "PENDING", phase: "WAITING", waiting_for: [1, 2] }),
  node(5, "hit", { cached_from: { run_id: "r", task_path: "t" } }),
];
const BY_NUMBER = new Map(NODES.map((it) => [it.node, it]));
const paths = (asked: Partial<Asked>) =>
  rowsOf(
    NODES,
    { text: "", standing: "", sort: undefined, descending: false, groups: false, ...asked },
    BY_NUMBER,
    Date.parse("2026-01-01T00:01:00Z"),
  ).map((it) => it.path);

describe("rows of tasks", () => {
  it("are those asked for", () => {
    expect(paths({})).toEqual(["train-10", "train-9", "last", "hit"]);
    expect(paths({ groups: true })).toContain("group");
    expect(paths({ standing: "cached" })).toEqual(["hit"]);
    expect(paths({ text: "EXIT" })).toEqual(["train-9"]);
    expect(paths({ text: "waits for train-10" })).toEqual(["last"]);
  });

  it("have the groups that were skipped, with all that is in them", () => {
    const skipped = node(6, "condition-1", { kind: "DAG", status: "SKIPPED", skipped: { reason: "CONDITION" } });
    const asked = { text: "", standing: "skipped", sort: undefined, descending: false, groups: false };
    expect(rowsOf([...NODES, skipped], asked, BY_NUMBER, 0)).toEqual([skipped]);
  });

  it("are looked for in those iterations of loops that may hold them", () => {
    const within = (standing: string, text = "") => iterationsWith({ standing, text });
    // What failed in a loop is there without being asked for.
    expect(within("")).toEqual(["FAILED"]);
    expect(within("failed")).toContain("FAILED");
    expect(within("waiting")).toEqual(["RUNNING"]);
    expect([within("succeeded"), within("skipped"), within("", "work")]).toEqual([[], [], []]);
  });

  it("are in the order asked for, those without a value last", () => {
    expect(paths({ sort: "name" })).toEqual(["hit", "last", "train-9", "train-10"]);
    expect(paths({ sort: "state" })[0]).toBe("train-9");
    expect(paths({ sort: "started" }).slice(0, 2)).toEqual(["train-9", "train-10"]);
    expect(paths({ sort: "started", descending: true }).slice(0, 2)).toEqual(["train-10", "train-9"]);
    expect(paths({ sort: "took", descending: true })[0]).toBe("train-9");
  });
});
