import style from "./Preview.module.css";

/** Text as it is. */
export function Text({ text }: { text: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: keys scroll what has the focus
    <pre className={style.text} tabIndex={0}>
      {text}
    </pre>
  );
}
