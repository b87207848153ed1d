/**
 * Reads again what is old: at once when it is told first, never twice at a time, at most once in `pause` milliseconds,
 * and once more if it was told while it read. However slow reading is, it comes to an end.
 */
export function refresher(read: () => Promise<unknown>, pause: number): { call: () => void; cancel: () => void } {
  let isBusy = false;
  let isOld = false;
  let isOver = false;
  const begin = () => {
    isBusy = true;
    isOld = false;
    const rest = new Promise((done) => setTimeout(done, pause));
    // Who reads shows what went wrong.
    void Promise.all([read().catch(() => undefined), rest]).then(() => {
      isBusy = false;
      if (isOld && !isOver) {
        begin();
      }
    });
  };
  return {
    call: () => {
      if (isBusy) {
        isOld = true;
      } else if (!isOver) {
        begin();
      }
    },
    cancel: () => {
      isOver = true;
    },
  };
}
