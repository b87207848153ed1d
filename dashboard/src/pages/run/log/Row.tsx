import { type CSSProperties, memo } from "react";
import { lowered, marked, type Span, spansOf } from "../../../model/ansi";
import style from "./Log.module.css";
import { clock, dated, whole } from "./stamp";

export interface Sought {
  words: string;
  exact: boolean;
}

/** Within one day the clock says enough. */
type Stamp = "clock" | "dated";

/** One line of a log, with its number and, where that is wanted, its time. */
export const Row = memo(function Row({
  number,
  text,
  stamp,
  time,
  sought,
  isHere,
}: {
  number: number;
  text: string | undefined;
  /** How its time is shown, if it is. */
  stamp: Stamp | undefined;
  /** Null where it is not known, and nothing while it is fetched. */
  time: number | null | undefined;
  sought: Sought | undefined;
  /** It is the hit that was gone to. */
  isHere: boolean;
}) {
  const needle = sought ? (sought.exact ? sought.words : lowered(sought.words)) : "";
  const spans = text === undefined ? [] : marked(spansOf(text), needle, sought?.exact ?? false);
  return (
    <div className={style.row} data-line={number} data-here={isHere || undefined}>
      <span className={style.gutter}>
        <span className={style.number} aria-hidden="true">
          {number + 1}
        </span>
        {stamp && <Time at={time} form={stamp} />}
      </span>
      <span className={style.text}>
        {spans.map((span, place) =>
          span.hit ? (
            // biome-ignore lint/suspicious/noArrayIndexKey: spans have nothing else that tells them apart
            <mark key={place} style={look(span)}>
              {span.text}
            </mark>
          ) : (
            // biome-ignore lint/suspicious/noArrayIndexKey: spans have nothing else that tells them apart
            <span key={place} style={look(span)}>
              {span.text}
            </span>
          ),
        )}
        {"\n"}
      </span>
    </div>
  );
});

function Time({ at, form }: { at: number | null | undefined; form: Stamp }) {
  if (at === undefined || at === null) {
    return (
      <span
        className={style.time}
        data-form={form}
        title={at === null ? "The time of this line is not known" : undefined}
      >
        {at === null && "–"}
      </span>
    );
  }
  return (
    <time className={style.time} data-form={form} dateTime={new Date(at).toISOString()} title={whole(at)}>
      {form === "dated" ? dated(at) : clock(at)}
    </time>
  );
}

function look(span: Span): CSSProperties | undefined {
  const { colour, ground, bold, italic, underline } = span;
  if (!(colour || ground || bold || span.dim || italic || underline)) {
    return undefined;
  }
  return {
    // On a coloured ground words take the page's own, which is legible on it in both themes.
    color: ground ? "var(--surface)" : colour ? `var(--ansi-${colour})` : span.dim ? "var(--text-soft)" : undefined,
    background: ground ? `var(--ansi-${ground})` : undefined,
    fontWeight: bold ? 700 : undefined,
    fontStyle: italic ? "italic" : undefined,
    textDecoration: underline ? "underline" : undefined,
  };
}
