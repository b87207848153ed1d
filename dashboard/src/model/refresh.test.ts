import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { refresher } from "./refresh";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const taking = (milliseconds: number) => vi.fn(() => new Promise((done) => setTimeout(done, milliseconds)));

test("reads at once, then once a pause, and the last call is not lost", async () => {
  const read = taking(10);
  const { call } = refresher(read, 100);
  call();
  expect(read).toHaveBeenCalledTimes(1);
  call();
  call();
  await vi.advanceTimersByTimeAsync(99);
  expect(read).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(read).toHaveBeenCalledTimes(2);
  await vi.advanceTimersByTimeAsync(1000);
  expect(read).toHaveBeenCalledTimes(2);
});

test("a slow read is let finish before the next", async () => {
  const read = taking(5000);
  const { call } = refresher(read, 100);
  call();
  await vi.advanceTimersByTimeAsync(1000);
  call();
  expect(read).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(4000);
  expect(read).toHaveBeenCalledTimes(2);
});

test("a read that fails does not end it", async () => {
  const read = vi.fn(() => Promise.reject(new Error("gone")));
  const { call } = refresher(read, 100);
  call();
  await vi.advanceTimersByTimeAsync(100);
  call();
  expect(read).toHaveBeenCalledTimes(2);
});

test("nothing is read after the end", async () => {
  const read = taking(10);
  const { call, cancel } = refresher(read, 100);
  call();
  call();
  cancel();
  await vi.advanceTimersByTimeAsync(1000);
  call();
  expect(read).toHaveBeenCalledTimes(1);
});
