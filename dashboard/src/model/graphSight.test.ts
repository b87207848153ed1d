import { expect, test } from "vitest";
import { areMarks, distanceAt, isInSight, pictureWords, placeAt, sightOf } from "./graphSight";
import type { Place } from "./layout";

const place = (id: string, x: number, y: number, width: number, height: number, depth = 0): Place => ({
  id,
  x,
  y,
  width,
  height,
  depth,
});

test("the nearer, the more is shown", () => {
  expect([2, 0.45, 0.44, 0.16, 0.15, 0.02].map(distanceAt)).toEqual(["near", "near", "far", "far", "tiny", "tiny"]);
});

test("boxes are marks where they are many and cannot be read", () => {
  expect(areMarks("near", 10_000)).toBe(false);
  expect(areMarks("far", 20)).toBe(false);
  expect(areMarks("far", 2_000)).toBe(true);
  expect(areMarks("tiny", 2_000)).toBe(true);
});

test("what is in sight follows from how the graph is moved and zoomed", () => {
  const sight = sightOf([-100, 50, 0.5], 400, 200);
  expect(sight).toEqual({ left: 200, top: -100, right: 1000, bottom: 300, zoom: 0.5 });
  expect(isInSight(place("a", 0, 0, 199, 50), sight)).toBe(false);
  expect(isInSight(place("a", 0, 0, 201, 50), sight)).toBe(true);
  expect(isInSight(place("a", 300, 301, 10, 50), sight)).toBe(false);
  expect(isInSight(place("a", -5_000, -5_000, 90_000, 90_000), sight)).toBe(true);
});

test("at a point lies the innermost box; of open groups only the heading answers", () => {
  const places = [place("g", 0, 0, 300, 300), place("g/a", 20, 100, 100, 50, 1), place("b", 400, 0, 100, 50)];
  const at = (x: number, y: number) => placeAt(places, (id) => id === "g", x, y);
  expect(at(150, 10)).toBe("g");
  expect(at(150, 80)).toBeUndefined();
  expect(at(30, 110)).toBe("g/a");
  expect(at(400, 49)).toBe("b");
  expect(at(400, 50)).toBeUndefined();
  expect(at(350, 10)).toBeUndefined();
});

test("a picture says how many boxes there are, and how they stand, what needs somebody first", () => {
  expect(pictureWords(2, [])).toBe("2 boxes, seen from afar");
  expect(pictureWords(4, ["succeeded", "failed", "succeeded", "running"])).toBe(
    "4 boxes, seen from afar: 1 failed, 1 running, 2 succeeded",
  );
});
