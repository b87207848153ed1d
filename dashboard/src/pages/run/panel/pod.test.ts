import { describe, expect, it } from "vitest";
import { said, unmet } from "./pod";

describe("what is said of a Pod", () => {
  it("is a state and why it is so", () => {
    expect(said("waiting", { reason: "ErrImagePull", message: "not found" })).toBe("waiting: ErrImagePull: not found");
    expect(said("running", {})).toBe("running");
    expect(said(undefined, { message: "no node" })).toBe("no node");
  });

  it("is what does not hold, while that is news", () => {
    const conditions = [
      { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/3 nodes are available" },
      { type: "Initialized", status: "True", reason: "Fine" },
      { type: "Ready", status: "False" },
    ];
    const pod = { name: "p", namespace: "n", conditions };
    expect(unmet({ ...pod, phase: "Pending" }).map(({ type }) => type)).toEqual(["PodScheduled"]);
    expect(unmet({ ...pod, phase: "Succeeded" })).toEqual([]);
    expect(unmet({ name: "p", namespace: "n", phase: "Pending" })).toEqual([]);
  });
});
