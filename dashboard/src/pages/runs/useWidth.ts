import { useCallback, useState } from "react";

/** How wide an element is, in rem, as it changes; and what to give it as its `ref`. */
export function useWidth(): [(element: HTMLElement | null) => (() => void) | undefined, number | undefined] {
  const [width, setWidth] = useState<number>();
  const place = useCallback((element: HTMLElement | null) => {
    if (!element) {
      return;
    }
    const observer = new ResizeObserver(([entry]) => {
      const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
      setWidth(entry && entry.contentRect.width / rem);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [place, width];
}
