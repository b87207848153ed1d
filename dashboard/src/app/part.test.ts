import { expect, test } from "vitest";
import { patiently } from "./part";

/** Fails so many times before it brings something. */
function failing(times: number) {
  const load = async () => {
    load.asked += 1;
    if (load.asked <= times) {
      throw new Error(`did not arrive ${load.asked}`);
    }
    return "a part";
  };
  load.asked = 0;
  return load;
}

test("what did not arrive is asked for again, and not more often than it needs", async () => {
  for (const times of [0, 1, 2]) {
    const load = failing(times);
    expect(await patiently(load, [1, 1])).toBe("a part");
    expect(load.asked).toBe(times + 1);
  }
});

test("what never arrives fails with the last reason", async () => {
  const load = failing(9);
  await expect(patiently(load, [1, 1])).rejects.toThrow("did not arrive 3");
  expect(load.asked).toBe(3);
});
