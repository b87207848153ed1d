import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { throttled } from "./throttle";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it("calls at once, then once a pause, and never loses the last call", () => {
  const perform = vi.fn();
  const { call } = throttled(perform, 100);
  call();
  call();
  call();
  expect(perform).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(100);
  expect(perform).toHaveBeenCalledTimes(2);
  vi.advanceTimersByTime(1000);
  expect(perform).toHaveBeenCalledTimes(2);
  call();
  expect(perform).toHaveBeenCalledTimes(3);
});

it("calls no more once it is cancelled", () => {
  const perform = vi.fn();
  const { call, cancel } = throttled(perform, 100);
  call();
  call();
  cancel();
  vi.advanceTimersByTime(1000);
  expect(perform).toHaveBeenCalledTimes(1);
});
