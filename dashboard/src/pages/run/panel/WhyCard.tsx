import { Link } from "react-router";
import { useAddressQuery } from "../../../app/query";
import { to } from "../../../app/routes";
import { useNow } from "../../../design/Moment";
import { Notice } from "../../../design/Notice";
import { duration, instant } from "../../../model/time";
import { useRunView } from "../view";
import style from "./Panel.module.css";
import { TaskLink } from "./TaskLink";
import { readable, type Why } from "./why";

const SHOWN = 20;

/** Why a task stands as it does. */
export function WhyCard({ why, runId }: { why: Why; runId: string }) {
  const { kind, title, message, condition, remedy, hasLog, tasks = [], source, retryAt } = why;
  return (
    <Notice kind={kind} title={title}>
      {message && <p className={style.message}>{message}</p>}
      {condition !== undefined && (
        <code className={style.message} title={condition}>
          {readable(condition)}
        </code>
      )}
      {retryAt && <Retry at={retryAt} />}
      {tasks.length > 0 && (
        <ul className={style.links}>
          {tasks.slice(0, SHOWN).map((task) => (
            <li key={task.node}>
              <TaskLink node={task} whole={task.path.includes("[")} />
            </li>
          ))}
          {tasks.length > SHOWN && <li className="soft">and {tasks.length - SHOWN} more</li>}
        </ul>
      )}
      {source && (
        <p className={style.message}>
          {"It is the result of "}
          <Link to={to.task(source.run_id, source.task_path)}>
            {source.run_id === runId ? source.task_path : `${source.task_path} of another run`}
          </Link>
          .
        </p>
      )}
      {remedy && <p className={style.remedy}>{remedy}</p>}
      {hasLog && <LogLink />}
    </Notice>
  );
}

function LogLink() {
  const [query] = useAddressQuery();
  const log = new URLSearchParams(query);
  log.set("tab", "logs");
  log.delete("attempt");
  // The link goes with the card: what takes its place has the focus then.
  return (
    <p className={style.message}>
      <Link to={{ search: log.toString() }} onClick={() => document.getElementById("task-panel")?.focus()}>
        Show the log
      </Link>
    </p>
  );
}

function Retry({ at }: { at: string }) {
  const now = useNow();
  const { instant: looked } = useRunView();
  const left = (instant(at) ?? 0) - (looked ?? now);
  return (
    <p className={style.message}>{left > 0 ? `It is tried again in ${duration(left)}.` : "It is about to start."}</p>
  );
}
