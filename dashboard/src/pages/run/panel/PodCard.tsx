import { useQuery } from "@tanstack/react-query";
import { ApiError } from "../../../api/http";
import type { Attempt, TreeNode } from "../../../api/penstock";
import { type PodStatus, podQuery } from "../../../api/tasks";
import { Moment } from "../../../design/Moment";
import { Failed, Loading } from "../../../design/Notice";
import { useRunView } from "../view";
import style from "./Panel.module.css";
import { said, unmet } from "./pod";

/** The Pod of an attempt and what happened to it, for as long as the cluster has it. */
export function PodCard({ node, attempt }: { node: TreeNode; attempt: Attempt }) {
  const { runId } = useRunView();
  const pod = useQuery(podQuery(runId, node.task_id, attempt.attempt, !attempt.ended_at));
  const isGone = pod.error instanceof ApiError && pod.error.status === 404;
  return (
    <section className={style.section}>
      <h3>Pod</h3>
      {pod.isPending && <Loading />}
      {isGone && (
        <p className="soft">
          <span className="mono">{attempt.pod_name}</span>: {pod.error?.message}
          {pod.data && " What follows is how it was when it was last seen."}
        </p>
      )}
      {pod.isError && !isGone && <Failed what="The Pod cannot be shown" error={pod.error} />}
      {pod.data && <Pod pod={pod.data} />}
    </section>
  );
}

function Pod({ pod }: { pod: PodStatus }) {
  return (
    <>
      <dl className="definitions">
        <dt>Name</dt>
        <dd className="mono">
          {pod.namespace}/{pod.name}
        </dd>
        <dt>State</dt>
        <dd>{said(pod.phase, pod)}</dd>
        <dt>Node</dt>
        <dd>{pod.node ?? <span className="soft">none yet</span>}</dd>
        {(pod.containers ?? []).map((container) => (
          <div key={container.name} className={style.pair}>
            <dt>{container.name}</dt>
            <dd>
              {said(container.state, container)}
              {container.exit_code !== undefined && ` (exit code ${container.exit_code})`}
              {(container.restarts ?? 0) > 0 && `, restarted ${container.restarts} times`}
            </dd>
          </div>
        ))}
        {unmet(pod).map((condition) => (
          <div key={condition.type} className={style.pair}>
            <dt>not {condition.type}</dt>
            <dd>{said(undefined, condition)}</dd>
          </div>
        ))}
      </dl>
      {pod.events_error && <p className="soft">Its events cannot be read: {pod.events_error}</p>}
      {(pod.events ?? []).length > 0 && (
        <div className={style.scrolled}>
          <table className={`${style.differences} ${style.events}`}>
            <caption>Events</caption>
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">Reason</th>
                <th scope="col">Message</th>
              </tr>
            </thead>
            <tbody>
              {pod.events?.map((event, place) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: events have nothing else that tells them apart
                <tr key={place} data-warning={event.type === "Warning" || undefined}>
                  <td>
                    <Moment at={event.at} />
                  </td>
                  <th scope="row">
                    {event.reason}
                    {(event.count ?? 1) > 1 && ` ×${event.count}`}
                  </th>
                  <td>{event.message}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
