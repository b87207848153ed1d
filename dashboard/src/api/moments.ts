/** When each event of a run was: what an instant means to a tree that is asked for as it was after an event. */
import { answer } from "./http";

/**
 * Reads on from the moments that are known until there are so many. Of each event its time alone is kept, in milliseconds.
 * Clocks of drivers that took turns may differ: none is before the one that it follows.
 */
export async function readMoments(
  runId: string,
  known: readonly number[],
  count: number,
  signal: AbortSignal,
): Promise<number[]> {
  const moments = [...known];
  if (moments.length >= count) {
    return moments;
  }
  const path = `apis/penstock/v1/runs/${encodeURIComponent(runId)}/events`;
  const response = await answer(path, { query: { after: moments.length }, signal });
  // Of a run that goes on the stream has no end.
  for await (const line of linesOf(response)) {
    if (line.startsWith("data:")) {
      const { at } = JSON.parse(line.slice("data:".length)) as { at: string };
      moments.push(Math.max(Date.parse(at), moments.at(-1) ?? 0));
      if (moments.length >= count) {
        break;
      }
    }
  }
  return moments;
}

async function* linesOf(response: Response): AsyncGenerator<string> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const part = await reader?.read();
      if (!part || part.done) {
        return;
      }
      const lines = (rest + part.value).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
  } finally {
    await reader?.cancel().catch(() => undefined);
  }
}
