import { Link } from "react-router";
import type { Attempt, TreeNode } from "../../../api/penstock";
import { useAddressQuery } from "../../../app/query";
import { Duration, Moment } from "../../../design/Moment";
import { Empty } from "../../../design/Notice";
import { StatusMark } from "../../../design/StatusMark";
import { standingOf } from "../../../model/state";
import style from "./Panel.module.css";
import { causeOf } from "./why";

/** Each attempt of a task, the newest first. */
export function Attempts({ node }: { node: TreeNode }) {
  const attempts = [...(node.attempts ?? [])].reverse();
  if (attempts.length === 0) {
    return (
      <Empty title="Nothing was attempted">
        <p>{node.cached_from ? "The result was taken from the cache." : "The task has not started."}</p>
      </Empty>
    );
  }
  return (
    <ol className={style.stack}>
      {attempts.map((attempt) => (
        <li key={attempt.attempt} className={style.card}>
          <One attempt={attempt} />
        </li>
      ))}
    </ol>
  );
}

function One({ attempt }: { attempt: Attempt }) {
  const [query] = useAddressQuery();
  const log = new URLSearchParams(query);
  log.set("tab", "logs");
  log.set("attempt", String(attempt.attempt));
  return (
    <>
      <div className={style.cardHead}>
        <h3>Attempt {attempt.attempt + 1}</h3>
        <StatusMark standing={standingOf(attempt.outcome ?? "RUNNING")} />
        {attempt.has_log !== false && (
          <Link className={style.end} to={{ search: log.toString() }}>
            Log
          </Link>
        )}
      </div>
      {attempt.failure && (
        <div>
          <p className={style.cause}>{causeOf(attempt.failure).title}</p>
          <p className={style.message}>{attempt.failure.message}</p>
        </div>
      )}
      <dl className="definitions">
        <dt>Started</dt>
        <dd>
          <Moment at={attempt.started_at} form="full" />
        </dd>
        <dt>Took</dt>
        <dd>
          <Duration from={attempt.started_at} to={attempt.ended_at} />
        </dd>
        {attempt.pod_name && (
          <>
            <dt>Pod</dt>
            <dd className="mono">{attempt.pod_name}</dd>
          </>
        )}
        {attempt.retry_at && (
          <>
            <dt>Retried</dt>
            <dd>
              <Moment at={attempt.retry_at} form="full" />
            </dd>
          </>
        )}
      </dl>
    </>
  );
}

export function outcomeOf(attempt: Attempt): string {
  return { SUCCEEDED: "succeeded", FAILED: "failed", CANCELED: "stopped", RUNNING: "running" }[
    attempt.outcome ?? "RUNNING"
  ];
}
