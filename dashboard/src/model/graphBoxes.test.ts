import { expect, test } from "vitest";
import type { Item } from "./graph";
import { insideOf, Walk } from "./graphBoxes";
import { layOut } from "./layout";

const item = (path: string, inside?: Pick<Item, "children" | "edges">): Item => ({
  path,
  key: path,
  name: path,
  form: inside ? "pipeline" : "task",
  component: "",
  parent: "",
  condition: undefined,
  canOpen: inside !== undefined,
  isOpen: inside !== undefined,
  iteration: undefined,
  taskCount: 1,
  children: inside?.children ?? [],
  edges: inside?.edges ?? [],
});

const graph: Pick<Item, "children" | "edges"> = {
  children: [
    item("a"),
    item("g", {
      children: [item("g/x"), item("g/y")],
      edges: [[0, 1]],
    }),
    item("b"),
    item("z"),
  ],
  edges: [
    [0, 1],
    [0, 2],
    [1, 3],
    [2, 3],
  ],
};

test("keys lead along lines, into groups and out of them", () => {
  const walk = new Walk(graph, layOut(insideOf(graph)), "down");
  expect(walk.first).toBe("a");
  expect(walk.from("g", "down")).toBe("g/x");
  expect(walk.from("g/x", "down")).toBe("g/y");
  expect(walk.from("g/y", "down")).toBe("z");
  expect(walk.from("g/x", "up")).toBe("g");
  expect(walk.from("g", "up")).toBe("a");
  expect(walk.from("a", "up")).toBeUndefined();
  expect(walk.from("z", "down")).toBeUndefined();
  const beside = walk.from("g", "right") ?? walk.from("g", "left");
  expect(beside).toBe("b");
});

test("in a graph from left to right, right is onwards", () => {
  const walk = new Walk(graph, layOut(insideOf(graph), "right"), "right");
  expect(walk.from("g/x", "right")).toBe("g/y");
  expect(walk.from("g/y", "left")).toBe("g/x");
  expect(walk.from("b", "right")).toBe("z");
});

test("an open group without tasks is a box like a closed one", () => {
  const empty: Item = { ...item("e"), canOpen: true, isOpen: true };
  expect(insideOf({ children: [empty], edges: [] }).boxes[0]?.inside).toBeUndefined();
});
