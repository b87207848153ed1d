import { useId } from "react";
import type { TreeNode } from "../../../api/penstock";
import { Empty } from "../../../design/Notice";
import { Log } from "../log/Log";
import { useRunView } from "../view";
import { outcomeOf } from "./Attempts";
import { useWord } from "./address";
import style from "./Panel.module.css";

/** What the attempts of a task printed; the newest unless another is chosen. */
export default function Logs({ node }: { node: TreeNode }) {
  const { runId } = useRunView();
  const [word, setWord] = useWord("attempt");
  const id = useId();
  const attempts = node.attempts ?? [];
  const newest = attempts.at(-1);
  if (!newest) {
    return (
      <Empty title="There is no log">
        <p>
          {node.cached_from ? "The result was taken from the cache; nothing ran." : "Nothing of the task has started."}
        </p>
      </Empty>
    );
  }
  const attempt = attempts.find((it) => String(it.attempt) === word) ?? newest;
  return (
    <div className={style.logs}>
      {attempts.length > 1 && (
        <div className={style.picker}>
          <label htmlFor={id}>Attempt</label>
          <select
            id={id}
            className="input"
            value={attempt.attempt}
            onChange={(event) =>
              setWord(Number(event.target.value) === newest.attempt ? undefined : event.target.value)
            }
          >
            {attempts.map((it) => (
              <option key={it.attempt} value={it.attempt}>
                {it.attempt + 1}: {outcomeOf(it)}
              </option>
            ))}
          </select>
        </div>
      )}
      <Log
        runId={runId}
        taskPath={node.path}
        attempt={attempt.attempt}
        live={!attempt.ended_at}
        atEnd={attempt.outcome === "FAILED"}
      />
    </div>
  );
}
