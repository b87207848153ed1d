import { type CSSProperties, memo } from "react";
import { lowered, marked, type Span, spansOf } from "../../../model/ansi";
import style from "./Log.module.css";

export interface Sought {
  words: string;
  exact: boolean;
}

/** One line of a log, with its number. */
export const Row = memo(function Row({
  number,
  text,
  sought,
  isHere,
}: {
  number: number;
  text: string | undefined;
  sought: Sought | undefined;
  /** It is the hit that was gone to. */
  isHere: boolean;
}) {
  const needle = sought ? (sought.exact ? sought.words : lowered(sought.words)) : "";
  const spans = text === undefined ? [] : marked(spansOf(text), needle, sought?.exact ?? false);
  return (
    <div className={style.row} data-line={number} data-here={isHere || undefined}>
      <span className={style.number} aria-hidden="true">
        {number + 1}
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
