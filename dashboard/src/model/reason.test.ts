import { describe, expect, it } from "vitest";
import { shortReason } from "./reason";

describe("the short form of a reason", () => {
  const last = "ConnectionError: no route to the store";
  const code = `the process exited with code 1; the last line of its log: ${last}`;

  it("is what a program said last", () => {
    expect(shortReason(code)).toBe(last);
    expect(shortReason(`task "for-loop-1[2]/fetch" failed: ${code}`)).toBe(last);
    expect(shortReason(`task "with \\"quotes\\"" failed: ${code}`)).toBe(last);
    expect(shortReason(`task "a" failed: ${code} (and 2 more failed)`)).toBe(`${last} (and 2 more failed)`);
  });

  it("is the reason without the task where nothing was said", () => {
    expect(shortReason('task "fetch" failed: the process exited with code 1')).toBe("the process exited with code 1");
    expect(shortReason('task "fetch" failed: input "rows" is not there')).toBe('input "rows" is not there');
    expect(shortReason('task "fetch" failed')).toBe('task "fetch" failed');
    expect(shortReason("the process exited with code 1; the last line of its log: ")).toContain("code 1");
    expect(shortReason("")).toBe("");
  });

  it("is not what was said by who was ended from outside", () => {
    const killed = "the process was killed by SIGKILL; the last line of its log: epoch 3";
    expect(shortReason(killed)).toBe(killed);
    const ended = "the Pod was asked to end, and the process exited with code 143; the last line of its log: epoch 3";
    expect(shortReason(ended)).toBe(ended);
  });
});
