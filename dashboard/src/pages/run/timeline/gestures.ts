import { type RefObject, useEffect, useRef } from "react";
import { moved, type Window, zoomed } from "../../../model/timeline";

/** Zooms by wheel with Ctrl, or by pinching, and moves by a sideways wheel or by dragging. */
export function useGestures(
  area: RefObject<HTMLElement | null>,
  labels: number,
  span: Window,
  window: Window,
  onWindow: (window: Window) => void,
): void {
  const latest = useRef({ span, window, onWindow });
  latest.current = { span, window, onWindow };
  useEffect(() => {
    const element = area.current;
    if (!element) {
      return;
    }
    const width = () => Math.max(1, element.clientWidth - labels);
    const offset = (x: number) => x - element.getBoundingClientRect().left - labels;
    const length = () => latest.current.window.to - latest.current.window.from;
    const wheeled = (event: WheelEvent) => {
      const { span, window, onWindow } = latest.current;
      const sideways = event.shiftKey ? event.deltaY : event.deltaX;
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        const around = window.from + (offset(event.clientX) / width()) * length();
        onWindow(zoomed(window, span, Math.exp(event.deltaY / 300), around));
      } else if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) {
        event.preventDefault();
        onWindow(moved(window, span, (sideways / width()) * length()));
      }
    };
    const stop = onDrag(
      element,
      (x) => offset(x) > 0,
      (by) => {
        const { span, window, onWindow } = latest.current;
        onWindow(moved(window, span, (-by / width()) * length()));
      },
    );
    // React listens to wheels without a way to prevent what browsers do.
    element.addEventListener("wheel", wheeled, { passive: false });
    return () => {
      element.removeEventListener("wheel", wheeled);
      stop();
    };
  }, [area, labels]);
}

/** A press that moves is a drag, and no click. */
const SLACK = 4;

function onDrag(element: HTMLElement, begins: (x: number) => boolean, drag: (by: number) => void): () => void {
  let from: number | undefined;
  let isDragged = false;
  const down = (event: PointerEvent) => {
    isDragged = false;
    from = event.button === 0 && event.pointerType === "mouse" && begins(event.clientX) ? event.clientX : undefined;
  };
  const move = (event: PointerEvent) => {
    if (from === undefined || (!isDragged && Math.abs(event.clientX - from) < SLACK)) {
      return;
    }
    isDragged = true;
    drag(event.clientX - from);
    from = event.clientX;
  };
  const up = () => {
    from = undefined;
  };
  const click = (event: MouseEvent) => {
    if (isDragged) {
      event.stopPropagation();
      event.preventDefault();
      isDragged = false;
    }
  };
  element.addEventListener("pointerdown", down);
  element.addEventListener("click", click, true);
  globalThis.addEventListener("pointermove", move);
  globalThis.addEventListener("pointerup", up);
  return () => {
    element.removeEventListener("pointerdown", down);
    element.removeEventListener("click", click, true);
    globalThis.removeEventListener("pointermove", move);
    globalThis.removeEventListener("pointerup", up);
  };
}
