/** Why something failed, in as few words as there is room for. */

/** What a run says in front of the reason of its task; the path stands there as Rust quotes it. */
const OF_TASK = /^task "(?:[^"\\]|\\.)*" failed: (?=.)/s;
/** That a program gave up is known where it failed; what it said last is why. Who was killed or told to end did not choose to. */
const LAST_SAID = /^the process exited with code \d+; the last line of its log: (.*\S.*)$/s;

/** What of a reason tells most: the whole of it belongs beside it, as a title. */
export function shortReason(reason: string): string {
  const own = reason.replace(OF_TASK, "");
  return LAST_SAID.exec(own)?.[1]?.trim() ?? own;
}
