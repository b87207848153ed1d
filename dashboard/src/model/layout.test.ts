import { expect, test } from "vitest";
import { type Layout, layOut, type Place } from "./layout";
import { box, graph, randomGraph } from "./layout.samples";
import { nearestRising } from "./layoutAlign";

const at = (layout: Layout, id: string) => layout.places.find((place) => place.id === id) as Place;

function overlaps(places: readonly Place[]): string[] {
  const found: string[] = [];
  const sorted = [...places].sort((a, b) => a.y - b.y);
  sorted.forEach((a, index) => {
    for (let other = index + 1; other < sorted.length; other++) {
      const b = sorted[other] as Place;
      if (b.y >= a.y + a.height) {
        break;
      }
      if (a.x < b.x + b.width && b.x < a.x + a.width) {
        found.push(`${a.id} ${b.id}`);
      }
    }
  });
  return found;
}

test("nothing is laid out as nothing", () =>
  expect(layOut(graph(0, []))).toEqual({ width: 0, height: 0, places: [], routes: [] }));

test("a chain is straight, from above to below or from left to right", () => {
  const chain = graph(3, [
    [0, 1],
    [1, 2],
  ]);
  const down = layOut(chain);
  expect(new Set(down.places.map((place) => place.x)).size).toBe(1);
  expect(at(down, "n0").y).toBeLessThan(at(down, "n1").y);
  expect(down.routes[0]?.points).toEqual([100, 50, 100, at(down, "n1").y]);
  const right = layOut(chain, "right");
  expect(new Set(right.places.map((place) => place.y)).size).toBe(1);
  expect(right.routes[0]?.points).toEqual([200, 25, at(right, "n1").x, 25]);
});

test("a diamond is symmetrical", () => {
  const layout = layOut(
    graph(4, [
      [0, 1],
      [0, 2],
      [1, 3],
      [2, 3],
    ]),
  );
  expect(at(layout, "n0").x).toBe(at(layout, "n3").x);
  expect(at(layout, "n1").x + at(layout, "n2").x).toBe(2 * at(layout, "n0").x);
});

test("what joins three stands below the middle one", () => {
  const layout = layOut(
    graph(5, [
      [0, 1],
      [1, 4],
      [2, 4],
      [3, 4],
    ]),
  );
  const middle = at(layout, "n2").x;
  expect(Math.abs(at(layout, "n4").x - middle)).toBeLessThan(4);
  expect(Math.abs(at(layout, "n0").x - at(layout, "n1").x)).toBeLessThan(4);
});

test("edges that cross are uncrossed", () => {
  const layout = layOut(
    graph(5, [
      [0, 4],
      [1, 3],
      [0, 2],
      [1, 2],
    ]),
  );
  expect(at(layout, "n0").x < at(layout, "n1").x).toBe(at(layout, "n4").x < at(layout, "n3").x);
});

test("a long edge passes by the boxes of the layers between", () => {
  const layout = layOut(
    graph(3, [
      [0, 1],
      [1, 2],
      [0, 2],
    ]),
  );
  const long = layout.routes.find((route) => route.from === "n0" && route.to === "n2");
  const middle = at(layout, "n1");
  const x = long?.points[2] as number;
  expect(x < middle.x || x > middle.x + middle.width).toBe(true);
});

test("what only feeds others stands right above them", () => {
  const layout = layOut(
    graph(4, [
      [0, 1],
      [1, 2],
      [3, 2],
    ]),
  );
  expect(at(layout, "n3").y).toBe(at(layout, "n1").y);
});

test("an open group holds its own graph and is one box outside", () => {
  const layout = layOut({
    boxes: [box("a"), box("g", graph(2, [[0, 1]], "g/")), box("z")],
    edges: [
      [0, 1],
      [1, 2],
    ],
    head: 0,
  });
  const [group, first, last] = [at(layout, "g"), at(layout, "g/0"), at(layout, "g/1")];
  expect([group.depth, first.depth]).toEqual([0, 1]);
  for (const inner of [first, last]) {
    expect(inner.x >= group.x && inner.x + inner.width <= group.x + group.width).toBe(true);
    expect(inner.y >= group.y + 40 && inner.y + inner.height <= group.y + group.height).toBe(true);
  }
  expect(at(layout, "z").y).toBeGreaterThan(group.y + group.height);
  expect(layout.places.map((place) => place.id).indexOf("g")).toBeLessThan(
    layout.places.map((it) => it.id).indexOf("g/0"),
  );
  const inner = layout.routes.find((route) => route.from === "g/0");
  expect(inner?.points.slice(0, 2)).toEqual([first.x + 100, first.y + 50]);
});

test("boxes that nothing joins make a block, not a line", () => {
  const { width, height } = layOut(graph(100, []));
  expect(width / height).toBeGreaterThan(0.8);
  expect(width / height).toBeLessThan(3);
});

test("circles, loose ends and repeated edges do no harm", () => {
  const layout = layOut(
    graph(3, [
      [0, 1],
      [1, 2],
      [2, 0],
      [1, 1],
      [0, 1],
      [0, 99],
      [-1, 2],
    ]),
  );
  expect(layout.places).toHaveLength(3);
  expect(layout.routes).toHaveLength(2);
  expect(overlaps(layout.places)).toEqual([]);
});

test.each([1, 2, 3, 4, 5, 6, 7, 8])("nothing overlaps and edges lead down in random graph %i", (seed) => {
  const inside = randomGraph(40 + 37 * seed, seed, 5 + seed);
  for (const direction of ["down", "right"] as const) {
    const layout = layOut(inside, direction);
    expect(overlaps(layout.places)).toEqual([]);
    for (const { from, to, points } of layout.routes) {
      const [a, b] = [at(layout, from), at(layout, to)];
      expect(direction === "down" ? a.y + a.height < b.y : a.x + a.width < b.x).toBe(true);
      const mains = points.filter((_, index) => index % 2 === (direction === "down" ? 1 : 0));
      expect(mains).toEqual([...mains].sort((x, y) => x - y));
    }
    for (const place of layout.places) {
      expect(place.x >= 0 && place.x + place.width <= layout.width + 1).toBe(true);
      expect(place.y >= 0 && place.y + place.height <= layout.height + 1).toBe(true);
    }
  }
});

test("values that fall share their mean", () => {
  expect([...nearestRising(Float64Array.of(3, 1, 5, 4, 9), Float64Array.of(1, 1, 1, 3, 1))]).toEqual([
    2, 2, 4.25, 4.25, 9,
  ]);
});
