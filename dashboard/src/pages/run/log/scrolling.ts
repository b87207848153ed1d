/** How the window of a log is scrolled: by whoever reads, and by the page itself. */
import { type RefObject, useEffect, useRef, useState } from "react";

type Window = RefObject<HTMLElement | null>;

interface Move {
  at: number;
  /** Away from the end, or to it. */
  way: "up" | "end" | undefined;
  /** It is where the page scrolled to. */
  isOwn: boolean;
}

export function useScrolling(scroller: Window): { scrollTo: (place: number) => void; moved: () => Move | undefined } {
  /** Where it was scrolled to by us. */
  const own = useRef(-1);
  const before = useRef(0);
  const scrollTo = (place: number) => {
    const element = scroller.current;
    if (element) {
      element.scrollTop = place;
      own.current = element.scrollTop;
      before.current = element.scrollTop;
    }
  };
  const moved = (): Move | undefined => {
    const element = scroller.current;
    if (!element) {
      return undefined;
    }
    const at = element.scrollTop;
    const isEnd = at >= element.scrollHeight - element.clientHeight - 2;
    const way = at < before.current - 1 && !isEnd ? "up" : isEnd && at > before.current ? "end" : undefined;
    const isOwn = Math.abs(at - own.current) <= 1;
    before.current = at;
    own.current = isOwn ? own.current : -1;
    return { at, way, isOwn };
  };
  return { scrollTo, moved };
}

export function useHeight(scroller: Window): number {
  const [height, setHeight] = useState(0);
  useEffect(() => {
    const element = scroller.current;
    if (!element) {
      return;
    }
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, [scroller]);
  return height;
}

const rowsOf = (scroller: HTMLElement) => scroller.querySelectorAll<HTMLElement>("[data-line]");

/** Of rows that are all there: the first that is seen, and how much of it is above. */
export function seenIn(scroller: HTMLElement): { row: number; above: number } {
  const rows = rowsOf(scroller);
  let [low, high] = [0, rows.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((rows[middle]?.offsetTop ?? 0) <= scroller.scrollTop) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return { row: low, above: scroller.scrollTop - (rows[low]?.offsetTop ?? 0) };
}

/** How far to scroll to see it there again, after rows have become taller or less tall. */
export function placeOf(scroller: HTMLElement, { row, above }: { row: number; above: number }): number {
  const element = rowsOf(scroller)[row];
  return element ? element.offsetTop + Math.min(above, element.offsetHeight) : 0;
}
