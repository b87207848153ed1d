/** Calls at once, and then at most once in so many milliseconds; the last call is never lost. */
export function throttled(perform: () => void, pause: number): { call: () => void; cancel: () => void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asked = false;
  const rest = () => {
    timer = undefined;
    if (asked) {
      asked = false;
      call();
    }
  };
  const call = () => {
    if (timer !== undefined) {
      asked = true;
      return;
    }
    perform();
    timer = setTimeout(rest, pause);
  };
  return {
    call,
    cancel: () => {
      clearTimeout(timer);
      timer = undefined;
      asked = false;
    },
  };
}
