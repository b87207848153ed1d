import { type KeyboardEvent, type PointerEvent, type ReactNode, useRef, useState } from "react";
import style from "./Split.module.css";

const LEAST = 320;
/** What is left of the view, as the style sheet has it too: some of everything in it can be seen. */
const LEAST_VIEW = 400;
const BAR = 16;
const STEP = 32;

function stored(key: string, usual: number): number {
  const width = Number(localStorage.getItem(key));
  return width >= LEAST ? width : usual;
}

/** A view with something beside it, as wide as it was left. Where there is no room for both, what is beside covers it. */
export function Split({
  name,
  label,
  usual = 480,
  children,
  beside,
}: {
  /** What the width is remembered by. */
  name: string;
  /** What the bar between the two is called. */
  label: string;
  usual?: number;
  children: ReactNode;
  beside: ReactNode;
}) {
  const key = `penstock.split.${name}`;
  const whole = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(() => stored(key, usual));
  const most = () => Math.max(LEAST, (whole.current?.clientWidth ?? 1200) - LEAST_VIEW - BAR);
  const change = (wanted: number) => {
    const next = Math.round(Math.min(most(), Math.max(LEAST, wanted)));
    setWidth(next);
    localStorage.setItem(key, String(next));
  };
  const drag = (event: PointerEvent<HTMLDivElement>) => {
    if (event.buttons === 1 && whole.current) {
      change(whole.current.getBoundingClientRect().right - event.clientX);
    }
  };
  const press = (event: KeyboardEvent) => {
    const step = { ArrowLeft: STEP, ArrowRight: -STEP }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      // From what is seen: in a window that was wider it may have been left wider.
      change(Math.min(width, most()) + step);
    }
  };
  return (
    <div ref={whole} className={style.split}>
      <div className={style.view}>{children}</div>
      {beside && (
        <>
          {/* biome-ignore lint/a11y/useSemanticElements: a rule cannot be moved */}
          <div
            role="separator"
            tabIndex={0}
            aria-label={label}
            aria-orientation="vertical"
            aria-valuenow={Math.min(width, most())}
            aria-valuemin={LEAST}
            aria-valuemax={most()}
            className={style.bar}
            onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
            onPointerMove={drag}
            onKeyDown={press}
            onDoubleClick={() => change(usual)}
          />
          <div className={style.beside} style={{ flexBasis: width }}>
            {beside}
          </div>
        </>
      )}
    </div>
  );
}
