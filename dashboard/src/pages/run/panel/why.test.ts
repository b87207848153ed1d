import { describe, expect, it } from "vitest";
import type { Attempt, TreeNode } from "../../../api/penstock";
import { node } from "../../../model/nodes.samples";
import { againFrom, readable, whyOf } from "./why";

describe("why a task stands as it does", () => {
  const root = node(0);

  it("names the cause of a failure and a remedy", () => {
    const failure = { cause: "OUTPUT", message: "output model is missing" };
    const why = whyOf(node(1, { status: "FAILED", failure }), [root]);
    expect(why).toMatchObject({ kind: "error", message: "output model is missing" });
    expect(why?.remedy).toContain("component");
    const later = whyOf(node(1, { status: "FAILED", failure: { cause: "QUOTA", message: "x" } }), [root]);
    expect(later?.title).toBe("It failed (QUOTA)");
  });

  it("leads to the log of what failed, where there is one", () => {
    const failure = { cause: "USER", message: "the process exited with code 1" };
    const attempt = { attempt: 0, outcome: "FAILED" as const, failure };
    const why = (attempts: object[], kind: "CONTAINER" | "IMPORTER" = "CONTAINER") =>
      whyOf(node(1, { kind, status: "FAILED", failure, attempts: attempts as Attempt[] }), [root]);
    expect(why([attempt])?.hasLog).toBe(true);
    expect(why([attempt, { ...attempt, attempt: 1, has_log: false }])?.hasLog).toBe(false);
    expect(why([])?.hasLog).toBe(false);
    expect(why([attempt], "IMPORTER")?.hasLog).toBe(false);
    const again = node(1, { status: "PENDING", phase: "BACKOFF", attempts: [attempt] as Attempt[] });
    expect(whyOf(again, [root])?.hasLog).toBe(true);
  });

  it("blames what failed within a group, or before it", () => {
    const group = node(1, { kind: "DAG", status: "FAILED", failure: { cause: "UPSTREAM", message: "train failed" } });
    const inner = node(2, { parent: 1, status: "FAILED", failure: { cause: "USER", message: "exit 1" } });
    expect(whyOf(group, [root, group, inner])?.tasks).toEqual([inner]);
    const next = node(3, { status: "FAILED", depends_on: [1], failure: { cause: "UPSTREAM", message: "needs n1" } });
    expect(whyOf(next, [root, group, inner, next])?.tasks).toEqual([group]);
  });

  it("says of a loop how many iterations failed, and never that it has a log", () => {
    const failure = { cause: "USER", message: 'task "n1[17]/work" failed' };
    const counts = { FAILED: 1, SUCCEEDED: 20, PENDING: 9 };
    const loop = node(1, { kind: "LOOP", status: "FAILED", items: 30, counts, failure });
    const work = node(9, { path: "n1[17]/work", parent: 8, status: "FAILED", failure });
    const why = whyOf(loop, [root, loop], work);
    expect(why).toMatchObject({ title: "1 of 30 iterations failed", message: failure.message, tasks: [work] });
    expect(why?.remedy).toContain("named above");
    for (const kind of ["LOOP", "ITERATION", "DAG"] as const) {
      // Nothing is known yet of what is in it.
      const unread = whyOf(node(1, { kind, status: "FAILED", failure, counts: { FAILED: 1 }, items: 1 }), [root]);
      expect(`${unread?.title} ${unread?.remedy ?? ""}`).not.toMatch(/program|log/);
    }
  });

  it("has something to do, or says that there is nothing, for what was skipped or waits", () => {
    for (const reason of ["CONDITION", "UPSTREAM", "UPSTREAM_FAILED"]) {
      expect(whyOf(node(1, { status: "SKIPPED", skipped: { reason } }), [root])?.remedy).toBeTruthy();
    }
    for (const phase of ["WAITING", "CACHE", "QUEUED", "BACKOFF"]) {
      const waits = node(2, { status: "PENDING", phase, waiting_for: [0] });
      expect(whyOf(waits, [root])?.remedy).toBeTruthy();
    }
  });

  it("names the tasks that it waits for, or what it needed", () => {
    const before = node(1, { status: "RUNNING" });
    const waits = node(2, { status: "PENDING", phase: "WAITING", waiting_for: [1], depends_on: [1] });
    expect(whyOf(waits, [root, before, waits])).toMatchObject({ title: "It waits for a task", tasks: [before] });
    const skipped = node(3, { status: "SKIPPED", skipped: { reason: "UPSTREAM", task: "n1" } });
    expect(whyOf(skipped, [root, before])?.tasks).toEqual([before]);
    const condition = node(4, { status: "SKIPPED", skipped: { reason: "CONDITION", condition: "1 == 2" } });
    expect(whyOf(condition, [])).toMatchObject({ condition: "1 == 2" });
  });

  it("says when another attempt follows, and where a cached result is from", () => {
    const attempts = [
      { attempt: 0, started_at: "2026-01-01T00:00:00Z", failure: { cause: "USER", message: "exit 1" } },
    ];
    const retried = node(1, { status: "RUNNING", phase: "BACKOFF", retry_at: "2026-01-01T00:01:00Z", attempts });
    expect(whyOf(retried, [])).toMatchObject({ message: "exit 1", retryAt: "2026-01-01T00:01:00Z" });
    const source = { run_id: "r", task_path: "t" };
    expect(whyOf(node(1, { cached_from: source }), [])?.source).toEqual(source);
    expect(whyOf(node(1), [])).toBeUndefined();
  });

  it("calls inputs of a condition by their names", () => {
    const text =
      "inputs.parameter_values['pipelinechannel--flip-Output'] == 'heads' && inputs.parameter_values['x'] > 1";
    expect(readable(text)).toBe("flip-Output == 'heads' && x > 1");
  });
});

it("what runs again is all that depends on a task, also by its group", () => {
  const nodes = [
    node(0),
    node(1),
    node(2, { kind: "DAG", depends_on: [1] }),
    node(3, { parent: 2 }),
    node(4, { parent: 2, depends_on: [3] }),
    node(5, { depends_on: [2] }),
    node(6),
    node(7, { parent: 2 }),
  ];
  const from = (number: number) => againFrom(nodes[number] as TreeNode, nodes).map((it) => it.node);
  expect(from(3)).toEqual([3, 4, 5]);
  expect(from(1)).toEqual([1, 3, 4, 5, 7]);
  expect(from(2)).toEqual([3, 4, 5, 7]);
  expect(from(6)).toEqual([6]);
});
