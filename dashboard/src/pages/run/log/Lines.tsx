import { type CSSProperties, type ReactNode, type RefObject, useLayoutEffect, useRef, useState } from "react";
import style from "./Log.module.css";
import { type Anchor, anchorAt, anchorFor, drawn, ROW, scrolledFor, scrollHeight } from "./place";
import { Row, type Sought } from "./Row";
import { placeOf, seenIn, useHeight, useScrolling } from "./scrolling";
import { isOfSeveralDays } from "./stamp";
import type { LogHold } from "./useLog";

/** Up to so many lines wrap as any text does. */
const FEW = 1_000;
/** Letters that a time has room for. */
const STAMP = 20;
/** Digits that the number of a line has room for at least: a log that grows past ten lines does not move. */
const LEAST_DIGITS = 3;

interface Props {
  log: LogHold;
  label: string;
  isWrapped: boolean;
  /** The time of each line is shown. */
  isTimed: boolean;
  isFollowing: boolean;
  onFollow: (following: boolean) => void;
  sought: Sought | undefined;
  /** The line to go to. Each object is gone to once. */
  goal: { line: number } | undefined;
  /** Told the first line that is seen. */
  top: RefObject<number>;
}

/** Lines in a window that scrolls, of which only those are drawn that are seen. */
export function Lines(props: Props) {
  const { log, label, isWrapped, isTimed, isFollowing, onFollow, goal, top } = props;
  const { first, end, longest } = log.grown;
  const count = end - first;
  const scroller = useRef<HTMLElement>(null);
  const height = useHeight(scroller);
  const [anchor, setAnchor] = useState<Anchor>({ line: 0, y: 0 });
  const { scrollTo, moved } = useScrolling(scroller);
  /** The first line that is seen of those that flow, and how much of it is above. */
  const seen = useRef({ row: 0, above: 0 });
  const isFlowing = isWrapped && count <= FEW;

  // biome-ignore lint/correctness/useExhaustiveDependencies: whatever grows moves the end
  useLayoutEffect(() => {
    if (isFollowing) {
      setAnchor({ line: end, y: Math.min(height, count * ROW) });
      scrollTo(scroller.current?.scrollHeight ?? 0);
    }
  }, [isFollowing, log.grown, height, isWrapped, isTimed]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: beside times, lines that flow wrap elsewhere
  useLayoutEffect(() => {
    if (scroller.current && isFlowing && !isFollowing) {
      scrollTo(placeOf(scroller.current, seen.current));
    }
  }, [isTimed]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: gone to once, however the log grows afterwards
  useLayoutEffect(() => {
    if (!goal) {
      return;
    }
    if (isFlowing) {
      scroller.current?.querySelector(`[data-line="${goal.line}"]`)?.scrollIntoView({ block: "center" });
      return;
    }
    const next = anchorFor(goal.line, first, end, height);
    setAnchor(next);
    scrollTo(scrolledFor(next, first, count, height));
  }, [goal]);

  const scrolled = () => {
    const move = moved();
    if (!move || !scroller.current) {
      return;
    }
    if (move.way) {
      onFollow(move.way === "end");
    }
    if (isFlowing) {
      seen.current = seenIn(scroller.current);
    }
    if (!move.isOwn) {
      setAnchor(anchorAt(move.at, first, count, height));
    }
  };
  top.current = Math.max(first, Math.floor(anchor.line - anchor.y / ROW));

  return (
    <section
      ref={scroller}
      className={style.scroller}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: keys scroll what has the focus
      tabIndex={0}
      aria-label={label}
      style={{ "--digits": Math.max(LEAST_DIGITS, String(end).length) } as CSSProperties}
      onScroll={scrolled}
    >
      {isFlowing ? (
        <div className={style.flow} data-wrap>
          <Rows {...props} from={first} to={end} />
        </div>
      ) : (
        <div
          className={style.space}
          style={{ height: scrollHeight(count), minWidth: width(isWrapped, longest + (isTimed ? STAMP : 0)) }}
        >
          <div className={style.layer} style={{ height }}>
            <Around {...props} anchor={anchor} height={height} />
          </div>
        </div>
      )}
    </section>
  );
}

function width(isWrapped: boolean, longest: number): string | undefined {
  return isWrapped ? undefined : `calc(${Math.min(longest, 16_500)}ch + 6rem)`;
}

/** The line at the anchor, and the others above and below it, however tall they are. */
function Around({ anchor, height, ...props }: Props & { anchor: Anchor; height: number }) {
  const { first, end } = props.log.grown;
  const { middle, share, from, to } = drawn(anchor, first, end, height);
  if (first === end) {
    return null;
  }
  return (
    <div
      className={style.anchor}
      data-wrap={props.isWrapped || undefined}
      style={{ top: anchor.y, transform: `translateY(${-100 * share}%)` }}
    >
      <div className={style.above}>
        <Rows {...props} from={from} to={middle} />
      </div>
      <Rows {...props} from={middle} to={middle + 1} />
      <div className={style.below}>
        <Rows {...props} from={middle + 1} to={to} />
      </div>
    </div>
  );
}

function Rows({ log, isTimed, sought, goal, from, to }: Props & { from: number; to: number }): ReactNode {
  const isDated = isOfSeveralDays(log.grown.span);
  return Array.from({ length: Math.max(0, to - from) }, (_, at) => {
    const number = from + at;
    return (
      <Row
        key={number}
        number={number}
        text={log.line(number)}
        stamp={isTimed ? (isDated ? "dated" : "clock") : undefined}
        time={log.time(number)}
        sought={sought}
        isHere={number === goal?.line}
      />
    );
  });
}
