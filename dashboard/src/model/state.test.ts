import { describe, expect, it } from "vitest";
import type { RuntimeState } from "../api/kfp";
import { standingOfRun } from "./state";

describe("how a run stands", () => {
  const through = (...states: RuntimeState[]) => ({
    state: states.at(-1) ?? "PENDING",
    state_history: states.map((state) => ({ update_time: "2026-01-01T00:00:00Z", state })),
  });

  it("is stopped where the API says that it failed after somebody stopped it", () => {
    expect(standingOfRun(through("PENDING", "RUNNING", "CANCELING", "FAILED"))).toBe("canceled");
    expect(standingOfRun(through("PENDING", "RUNNING", "FAILED"))).toBe("failed");
    expect(standingOfRun({ state: "FAILED" })).toBe("failed");
    expect(standingOfRun(through("PENDING", "RUNNING", "CANCELING"))).toBe("canceling");
  });

  it("is failed where it ran out of time", () => {
    const error = { code: 2, message: "the run took longer than 60 s" };
    expect(standingOfRun({ ...through("RUNNING", "CANCELING", "FAILED"), error })).toBe("failed");
  });

  it("is what came last of a run that was retried", () => {
    expect(standingOfRun(through("RUNNING", "CANCELING", "FAILED", "RUNNING", "FAILED"))).toBe("failed");
    // A retry that was asked for, and has not begun.
    expect(standingOfRun({ ...through("RUNNING", "CANCELING", "FAILED"), state: "PENDING" })).toBe("waiting");
  });
});
