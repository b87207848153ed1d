import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link } from "react-router";
import { type Lineage, type LineageDirection, lineageQuery } from "../../api/lineage";
import { useAddressQuery } from "../../app/query";
import { to } from "../../app/routes";
import { Failed, Loading } from "../../design/Notice";
import { Card } from "../../design/Page";
import { StatusMark } from "../../design/StatusMark";
import { layOut, type Route } from "../../model/layout";
import { standingOf } from "../../model/state";
import style from "./Artifacts.module.css";

const WIDTH = 190;
const HEIGHT = 46;

/** What an artifact was made of, and what came of it, across runs. */
export function LineageCard({ id }: { id: string }) {
  const [query, setQuery] = useAddressQuery();
  const word = query.get("direction");
  const direction: LineageDirection = word === "upstream" || word === "downstream" ? word : "both";
  const depth = Math.max(1, Math.min(50, Number(query.get("depth")) || 3));
  const lineage = useQuery({ ...lineageQuery(id, direction, depth), placeholderData: (before) => before });
  const change = (words: Record<string, string>) =>
    setQuery((before) => new URLSearchParams({ ...Object.fromEntries(before), ...words }), { replace: true });
  return (
    <Card
      title="Lineage"
      actions={
        <div style={{ display: "flex", gap: "var(--space-2)" }}>
          <select
            className="input"
            aria-label="Direction"
            value={direction}
            onChange={(event) => change({ direction: event.target.value })}
          >
            <option value="both">Both ways</option>
            <option value="upstream">What it was made of</option>
            <option value="downstream">What came of it</option>
          </select>
          <select
            className="input"
            aria-label="Depth"
            value={depth}
            onChange={(event) => change({ depth: event.target.value })}
          >
            {[...new Set([1, 2, 3, 5, 10, 50, depth])]
              .sort((a, b) => a - b)
              .map((count) => (
                <option key={count} value={count}>
                  {count === 1 ? "1 task away" : `${count} tasks away`}
                </option>
              ))}
          </select>
        </div>
      }
    >
      {lineage.isError ? (
        <Failed what="The lineage cannot be read" error={lineage.error} onRetry={() => void lineage.refetch()} />
      ) : lineage.data ? (
        <Board lineage={lineage.data} current={id} />
      ) : (
        <Loading what="Following it" />
      )}
    </Card>
  );
}

function Board({ lineage, current }: { lineage: Lineage; current: string }) {
  const drawn = useMemo(() => draw(lineage), [lineage]);
  const artifacts = new Map(lineage.artifacts?.map((it) => [it.artifact_id, it]));
  const executions = new Map(lineage.executions?.map((it) => [it.execution_id, it]));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys
    <section className={style.lineage} tabIndex={0} aria-label="Lineage graph">
      <div className={style.board} style={{ width: drawn.width, height: drawn.height }}>
        <svg width={drawn.width} height={drawn.height} aria-hidden="true">
          {drawn.routes.map((route) => (
            <path key={`${route.from} ${route.to}`} className={style.line} d={pathOf(route)} />
          ))}
        </svg>
        {drawn.places.map(({ id, x, y, width, height }) => {
          const artifact = artifacts.get(id);
          const execution = executions.get(id);
          const at = { left: x, top: y, width, height };
          return artifact ? (
            <Link
              key={id}
              to={to.artifact(id)}
              className={style.node}
              data-kind="artifact"
              aria-current={id === current || undefined}
              style={at}
            >
              <span>{artifact.name}</span>
              <span className="soft small">{artifact.type.replace(/^system\./, "")}</span>
            </Link>
          ) : execution ? (
            <Link key={id} to={to.task(execution.run_id, execution.task_path)} className={style.node} style={at}>
              <span className={style.task}>
                <StatusMark standing={standingOf(execution.state)} bare />
                <span>{execution.task_name}</span>
              </span>
              <span className="soft small">{execution.run_name}</span>
            </Link>
          ) : null;
        })}
      </div>
      {lineage.cut && <p className="soft">There is more than is drawn: go on from one of its ends.</p>}
    </section>
  );
}

function draw(lineage: Lineage) {
  const ids = [
    ...(lineage.artifacts ?? []).map((it) => it.artifact_id),
    ...(lineage.executions ?? []).map((it) => it.execution_id),
  ];
  const places = new Map(ids.map((id, index) => [id, index]));
  const edges = new Set(
    (lineage.edges ?? []).map((it) =>
      it.kind === "input" ? `${it.artifact_id} ${it.execution_id}` : `${it.execution_id} ${it.artifact_id}`,
    ),
  );
  const pairs = [...edges].flatMap((edge) => {
    const [from, to] = edge.split(" ").map((id) => places.get(id));
    return from === undefined || to === undefined ? [] : [[from, to] as const];
  });
  return layOut({ boxes: ids.map((id) => ({ id, width: WIDTH, height: HEIGHT })), edges: pairs, head: 0 }, "right");
}

/** A soft line through the points of a way. */
function pathOf({ points }: Route): string {
  let text = `M${points[0]} ${points[1]}`;
  for (let at = 2; at + 1 < points.length; at += 2) {
    const [fromX = 0, fromY = 0, x = 0, y = 0] = points.slice(at - 2, at + 2);
    const half = (x - fromX) / 2;
    text += ` C${fromX + half} ${fromY} ${x - half} ${y} ${x} ${y}`;
  }
  return text;
}
