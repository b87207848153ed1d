import style from "./Arguments.module.css";

/** Arguments of a command, below each other: a component written in Python brings its whole text as one. */
export function Arguments({ command }: { command: readonly string[] }) {
  return (
    <ol className={style.arguments} aria-label="Command">
      {command.map((argument, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: arguments may be the same, and have nothing but their place
        <li key={place}>
          <pre tabIndex={canScroll(argument) ? 0 : undefined}>{argument === "" ? '""' : argument}</pre>
        </li>
      ))}
    </ol>
  );
}

/** Whether it may be taller than its frame, which keys must be able to scroll then. */
const canScroll = (argument: string) => argument.includes("\n") || argument.length > 400;
