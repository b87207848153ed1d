import { type RefObject, useCallback, useEffect, useRef } from "react";

/**
 * Tells whether something in an element has the focus, or had it when it was taken out of the page: a box that leaves the
 * frame is taken out, and has its focus back when it returns.
 */
export function useFocusWithin(frame: RefObject<HTMLElement | null>): () => boolean {
  const wasWithin = useRef(false);
  useEffect(() => {
    const element = frame.current;
    const enter = () => {
      wasWithin.current = true;
    };
    const leave = ({ target }: FocusEvent) =>
      setTimeout(() => {
        wasWithin.current = !(target as Node).isConnected || (element?.contains(document.activeElement) ?? false);
      });
    element?.addEventListener("focusin", enter);
    element?.addEventListener("focusout", leave);
    return () => {
      element?.removeEventListener("focusin", enter);
      element?.removeEventListener("focusout", leave);
    };
  }, [frame]);
  return useCallback(() => {
    const { activeElement, body } = document;
    return (frame.current?.contains(activeElement) ?? false) || (wasWithin.current && activeElement === body);
  }, [frame]);
}
