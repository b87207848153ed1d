import { describe, expect, it } from "vitest";
import type { TreeNode } from "../api/penstock";
import { node } from "./nodes.samples";
import { criticalPath, moved, rowsOf, segmentsOf, stepOf, ticks, tickWords, zoomed } from "./timeline";

const ZERO = Date.parse("2026-08-01T10:00:00Z");
const at = (seconds: number) => new Date(ZERO + seconds * 1000).toISOString();

const shown = (it: TreeNode, until = 1000) =>
  segmentsOf(it, ZERO, ZERO + until * 1000).map((part) => {
    const seconds = [part.from, part.to].map((time) => (time - ZERO) / 1000).join("-");
    return `${part.phase} ${seconds}${part.attempt === undefined ? "" : ` #${part.attempt}`}${part.failed ? " failed" : ""}`;
  });

describe("what a task did when", () => {
  it("is told attempt by attempt", () => {
    const task = node(1, {
      ready_at: at(2),
      started_at: at(3),
      ended_at: at(20),
      attempts: [
        { attempt: 0, started_at: at(3), ended_at: at(5), outcome: "FAILED", retry_at: at(9) },
        { attempt: 1, started_at: at(10), ended_at: at(20), outcome: "SUCCEEDED" },
      ],
    });
    const whole = [
      "waiting 0-2",
      "queued 2-3",
      "running 3-5 #0 failed",
      "backoff 5-9",
      "queued 9-10",
      "running 10-20 #1",
    ];
    expect(shown(task)).toEqual(whole);
    // As it was then.
    expect(shown({ ...task }, 7)).toEqual(["waiting 0-2", "queued 2-3", "running 3-5 #0 failed", "backoff 5-7"]);
    expect(shown(task, 1)).toEqual(["waiting 0-1"]);
  });

  it("is told step by step where the steps are known, though clocks differ", () => {
    const timings = {
      ...{ created_at: at(3), scheduled_at: at(4), launcher_at: at(6), inputs_at: at(7), ready_at: at(9) },
      ...{ container_at: at(10), started_at: at(11), ended_at: at(18), stored_at: at(30) },
    };
    const attempt = { attempt: 0, started_at: at(3), ended_at: at(20), timings };
    const task = node(1, { ready_at: at(3), started_at: at(3), ended_at: at(20), attempts: [attempt] });
    const steps = [
      "scheduling 3-4 #0",
      "setup 4-7 #0",
      "inputs 7-9 #0",
      "setup 9-11 #0",
      "running 11-18 #0",
      "outputs 18-20 #0",
    ];
    expect(shown(task)).toEqual(["waiting 0-3", ...steps]);
    // A clock that is ahead makes no step end before it began.
    const odd = { ...attempt, timings: { inputs_at: at(30), started_at: at(5) } };
    expect(shown({ ...task, attempts: [odd] })).toEqual(["waiting 0-3", "setup 3-20 #0"]);
  });

  it("is over between a failure and the retry of the run, however many there were", () => {
    const attempts = [
      { attempt: 0, started_at: at(1), ended_at: at(3), outcome: "FAILED" as const },
      { attempt: 1, started_at: at(300), ended_at: at(303), outcome: "FAILED" as const, retry_at: at(305) },
      { attempt: 2, started_at: at(306), ended_at: at(308), outcome: "FAILED" as const },
    ];
    const once = ["waiting 0-1", "running 1-3 #0 failed", "over 3-299"];
    const again = ["queued 299-300", "running 300-303 #1 failed", "backoff 303-305", "queued 305-306"];
    const retried = node(1, { ready_at: at(299), started_at: at(300), ended_at: at(308), attempts });
    expect(shown(retried)).toEqual([...once, ...again, "running 306-308 #2 failed"]);
    // It was asked for again, and nothing has begun yet.
    const asked = node(1, { status: "PENDING", ready_at: at(299), attempts: attempts.slice(0, 1) });
    expect(shown(asked, 302)).toEqual([...once, "queued 299-302"]);
    // Two retries later only the time of the newest start is known.
    const third = { attempt: 3, started_at: at(500), ended_at: at(501), outcome: "SUCCEEDED" as const };
    const twice = node(1, {
      ready_at: at(499),
      started_at: at(500),
      ended_at: at(501),
      attempts: [...attempts, third],
    });
    expect(shown(twice).slice(-3)).toEqual(["over 308-499", "queued 499-500", "running 500-501 #3"]);
    expect(shown(twice).filter((part) => part.startsWith("queued 3-"))).toEqual([]);
  });

  it("ends with what it does now", () => {
    const running = node(1, {
      status: "RUNNING",
      ready_at: at(1),
      started_at: at(1),
      attempts: [{ attempt: 0, started_at: at(2) }],
    });
    expect(shown(running, 30)).toEqual(["waiting 0-1", "queued 1-2", "running 2-30 #0"]);
    expect(shown(node(2, { status: "PENDING" }), 30)).toEqual(["waiting 0-30"]);
    expect(shown(node(3, { kind: "LOOP", started_at: at(4) }), 30)).toEqual(["waiting 0-4", "group 4-30"]);
  });
});

describe("rows", () => {
  it("follow the tree, without what is below closed groups", () => {
    const nodes = [node(0), node(1, { kind: "DAG" }), node(3), node(2, { parent: 1 })];
    expect(rowsOf(nodes, () => true).map((row) => [row.node.node, row.depth])).toEqual([
      [1, 0],
      [2, 1],
      [3, 0],
    ]);
    expect(rowsOf(nodes, () => false).map((row) => row.node.node)).toEqual([1, 3]);
  });
});

describe("the critical path", () => {
  it("goes from the last to end back to what it waited for, through groups", () => {
    const ends = (from: number, to: number) => ({ started_at: at(from), ended_at: at(to) });
    const nodes = [
      node(0, ends(0, 30)),
      node(1, ends(0, 5)),
      node(2, ends(0, 9)),
      node(3, { kind: "DAG", depends_on: [1, 2], ...ends(9, 20) }),
      node(4, { parent: 3, ...ends(9, 12) }),
      node(5, { parent: 3, ...ends(9, 20) }),
      node(6, { depends_on: [3], ...ends(20, 30) }),
      node(7, { status: "SKIPPED", ended_at: at(1) }),
    ];
    expect([...criticalPath(nodes, ZERO)].sort()).toEqual([2, 3, 5, 6]);
  });

  it("includes what runs, and nothing where nothing did", () => {
    const nodes = [node(0), node(1, { started_at: at(0), ended_at: at(3) }), node(2, { started_at: at(0) })];
    expect([...criticalPath(nodes, ZERO + 9000)]).toEqual([2]);
    expect([...criticalPath([node(0), node(1)], ZERO)]).toEqual([]);
  });
});

describe("the window", () => {
  const span = { from: 0, to: 1000 };
  it("keeps the instant that it zooms around, and stays within the span", () => {
    expect(zoomed(span, span, 0.5, 250)).toEqual({ from: 125, to: 625 });
    expect(zoomed({ from: 125, to: 625 }, span, 4, 250)).toEqual(span);
    expect(moved({ from: 100, to: 300 }, span, -500)).toEqual({ from: 0, to: 200 });
    expect(moved({ from: 100, to: 300 }, span, 5000)).toEqual({ from: 800, to: 1000 });
  });

  it("has round steps", () => {
    const of = (from: number, to: number, zero: number, room: number) =>
      ticks({ from, to }, zero, stepOf({ from, to }, room));
    expect(of(500, 12_000, 0, 10)).toEqual([2000, 4000, 6000, 8000, 10_000, 12_000]);
    expect(of(100, 100, 100, 5)).toEqual([100]);
    expect(of(0, 7_200_000, 0, 8).length).toBeLessThanOrEqual(9);
  });

  it("says of no two lines the same", () => {
    const words = (step: number, ...counts: number[]) => counts.map((count) => tickWords(count * step, step));
    expect(words(50, 0, 1, 2, 3, 20)).toEqual(["0", "0.05 s", "0.10 s", "0.15 s", "1.00 s"]);
    expect(words(2, 1, 500, 30_601)).toEqual(["0.002 s", "1.000 s", "1 min 1.202 s"]);
    expect(words(5_000, 0, 1, 12, 13)).toEqual(["0", "5 s", "1 min", "1 min 5 s"]);
    expect(words(1_000, 3_600, 3_601, 90_061)).toEqual(["1 h", "1 h 1 s", "1 d 1 h 1 min 1 s"]);
    for (const step of [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 15_000, 60_000, 10_800_000]) {
      const lines = words(step, ...Array.from({ length: 200 }, (_, at) => at + 3_000));
      expect(new Set(lines).size).toBe(lines.length);
    }
  });
});
