const AT_A_TIME = 6;

/** Does something for each of some ids, a few at a time, to the end; says of which it was not done, and why. */
export async function eachOf(ids: readonly string[], perform: (id: string) => Promise<unknown>): Promise<void> {
  const failures: string[] = [];
  const waiting = [...ids];
  const work = async () => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      try {
        await perform(id);
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  if (failures.length > 0) {
    const reasons = [...new Set(failures)].slice(0, 5).join("\n");
    throw new Error(`Not done for ${failures.length} of ${ids.length}:\n${reasons}`);
  }
}
