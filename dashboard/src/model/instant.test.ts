import { expect, test } from "vitest";
import type { TreeNode } from "../api/penstock";
import { asItWas, instantIn, spanOf, wordOf } from "./instant";
import { node } from "./nodes.samples";

const at = (second: number) => Date.UTC(2026, 7, 1, 10, 0, second);
const text = (second: number) => new Date(at(second)).toISOString();

const shown = (nodes: readonly TreeNode[]) => nodes.map((it) => [it.node, it.status, it.phase]);

test("nodes are as they were, in the order of now", () => {
  const present = [
    node(0),
    node(2, { ended_at: text(300) }),
    node(1),
    node(3, { cached_from: { run_id: "r", task_path: "t" } }),
  ];
  const failed = node(2, { status: "FAILED", ended_at: text(4) });
  const past = [node(0, { status: "FAILED" }), node(1), failed];
  const nodes = asItWas(present, past);
  expect(shown(nodes)).toEqual([
    [0, "FAILED", "ENDED"],
    [2, "FAILED", "ENDED"],
    [1, "SUCCEEDED", "ENDED"],
    // The run was over, and it had not begun.
    [3, "SKIPPED", "ENDED"],
  ]);
  expect(nodes[1]).toBe(failed);
  expect(nodes[3]?.cached_from).toBeUndefined();
});

test("what had not begun waits, with all that is in it", () => {
  const group = node(1, { kind: "DAG", started_at: text(5), counts: { SUCCEEDED: 1 } });
  const present = [node(0), group, node(2, { parent: 1, attempts: [{ attempt: 0, started_at: text(5) }] })];
  const nodes = asItWas(present, [node(0, { status: "RUNNING" })]);
  expect(shown(nodes).slice(1)).toEqual([
    [1, "PENDING", "WAITING"],
    [2, "PENDING", "WAITING"],
  ]);
  expect(nodes[1]?.counts).toBeUndefined();
  expect(nodes[2]?.attempts).toEqual([]);
});

test("how far a loop had come is told, and what is not there any more", () => {
  const loop = node(1, { kind: "LOOP", items: 30, counts: { SUCCEEDED: 3, PENDING: 27 }, status: "RUNNING" });
  const nodes = asItWas([node(0), node(1, { kind: "LOOP", counts: { SUCCEEDED: 30 } })], [node(0), loop, node(9)]);
  expect(nodes[1]).toBe(loop);
  expect(nodes[2]?.node).toBe(9);
});

test("the span is from the first beginning, that of an earlier start too, to the root's end", () => {
  const attempts = [
    { attempt: 0, started_at: text(1), ended_at: text(2) },
    { attempt: 1, started_at: text(300), ended_at: text(301) },
  ];
  const root = node(0, { ended_at: text(301) });
  const task = node(1, { ready_at: text(299), started_at: text(300), attempts });
  expect(spanOf([root, task])).toEqual({ from: at(1), to: at(301) });
  expect(spanOf([node(0), task])?.to).toBeUndefined();
  expect(spanOf([])).toBeUndefined();
});

test("an address keeps an instant", () => {
  expect(instantIn(wordOf(at(5)) ?? null)).toBe(at(5));
  expect([instantIn(null), instantIn("yesterday"), wordOf(undefined)]).toEqual([undefined, undefined, undefined]);
});
