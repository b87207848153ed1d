import { describe, expect, it } from "vitest";
import { isBelow, to } from "./routes";

describe("the place of a page in the side bar", () => {
  it("is the list that it belongs to", () => {
    const places = [to.home, to.runs, to.pipelines, to.experiments, to.schedules, to.artifacts, to.system];
    const placesOf = (path: string) => places.filter((place) => isBelow(path, place));
    expect(placesOf("/")).toEqual([to.home]);
    expect(placesOf("/runs")).toEqual([to.runs]);
    expect(placesOf(to.run("a/b"))).toEqual([to.runs]);
    expect(placesOf("/compare")).toEqual([to.runs]);
    expect(placesOf(to.schedule("x"))).toEqual([to.schedules]);
    expect(placesOf("/recurringruns/new")).toEqual([to.schedules]);
    expect(placesOf(to.version("a", "b"))).toEqual([to.pipelines]);
    expect(placesOf("/nowhere")).toEqual([]);
  });
});
