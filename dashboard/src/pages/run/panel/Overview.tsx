import { lazy, Suspense } from "react";
import type { TaskDetail, TreeNode } from "../../../api/penstock";
import { Duration, Moment, useNow } from "../../../design/Moment";
import { Loading } from "../../../design/Notice";
import { duration, instant } from "../../../model/time";
import { PHASE_WORDS, PHASES, type Phase, segmentsOf } from "../../../model/timeline";
import { endAt } from "../table/rows";
import { useRunView } from "../view";
import { CacheBrief } from "./CacheCard";
import style from "./Panel.module.css";
import { TaskLink } from "./TaskLink";
import { ArtifactList, ParameterList } from "./Values";

// Groups alone have them, and they bring what long lists need.
const Within = lazy(() => import("./Children"));

/** When it was, how long its steps took, what it gave, and what is within it. */
export function Overview({ node, detail }: { node: TreeNode; detail: TaskDetail | undefined }) {
  const { byNumber, instant: looked } = useRunView();
  const isTask = node.kind === "CONTAINER" || node.kind === "IMPORTER";
  const dependencies = (node.depends_on ?? []).flatMap((it) => byNumber.get(it) ?? []);
  // Before it had ended it had none.
  const outputs = node.ended_at && node.ended_at === detail?.ended_at ? detail.outputs : undefined;
  return (
    <>
      <dl className="definitions">
        <dt>Started</dt>
        <dd>
          <Moment at={node.started_at} form="full" />
        </dd>
        <dt>Ended</dt>
        <dd>
          <Moment at={node.ended_at} form="full" />
        </dd>
        <dt>Took</dt>
        <dd>
          <Duration from={node.started_at} to={node.ended_at ?? endAt(looked)} />
        </dd>
        {dependencies.length > 0 && (
          <>
            <dt>After</dt>
            <dd>
              <ul className={style.links}>
                {dependencies.map((it) => (
                  <li key={it.node}>
                    <TaskLink node={it} />
                  </li>
                ))}
              </ul>
            </dd>
          </>
        )}
        {node.ran_on_host && (
          <>
            <dt>Where</dt>
            <dd>As a process of this machine, not in its image</dd>
          </>
        )}
      </dl>
      {isTask && <Steps node={node} />}
      {node.kind === "CONTAINER" && node.started_at && <CacheBrief node={node} />}
      {!isTask && (
        <Suspense fallback={<Loading />}>
          <Within node={node} />
        </Suspense>
      )}
      {isTask && outputs && (
        <ParameterList title="Output parameters" values={outputs.parameters} direction="output" node={node} />
      )}
      {isTask && outputs && <ArtifactList title="Output artifacts" artifacts={outputs.artifacts} isOpen />}
    </>
  );
}

/** How long each step took, over all attempts. */
function Steps({ node }: { node: TreeNode }) {
  const { byNumber, instant: looked } = useRunView();
  const now = useNow();
  const parent = node.parent === undefined ? undefined : byNumber.get(node.parent);
  const segments = segmentsOf(node, instant(parent?.started_at), looked ?? now);
  const spent = new Map<Phase, number>();
  for (const { phase, from, to } of segments) {
    spent.set(phase, (spent.get(phase) ?? 0) + to - from);
  }
  if (spent.size === 0) {
    return null;
  }
  return (
    <section className={style.section}>
      <h3>Where the time went</h3>
      <dl className="definitions">
        {PHASES.filter((phase) => spent.has(phase)).map((phase) => (
          <div key={phase} className={style.pair}>
            <dt>{PHASE_WORDS[phase]}</dt>
            <dd className="number">{duration(spent.get(phase) ?? 0)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
