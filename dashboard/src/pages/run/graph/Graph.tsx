import { type ReactNode, Suspense, useCallback, useMemo, useState } from "react";
import type { PipelineSpec, TreeNode } from "../../../api/penstock";
import { part } from "../../../app/part";
import { useAddressWords } from "../../../app/query";
import { Button } from "../../../design/Button";
import { Empty, Loading } from "../../../design/Notice";
import { criticalPath } from "../../../model/criticalPath";
import { drawn, graphOf, type Item } from "../../../model/graph";
import { cardOf } from "../../../model/graphCard";
import {
  type Choices,
  isWithin,
  openingOf,
  revealing,
  usuallyOpen,
  withGroup,
  withIteration,
} from "../../../model/graphOpening";
import type { Standing } from "../../../model/state";
import { useRunView, useSelection } from "../view";
import { Canvas } from "./Canvas";
import type { BoxData } from "./graphContext";
import { useChoices } from "./useChoices";

// Few open it, and it brings what long lists need.
const Iterations = part(() => import("./Iterations"));
// Many runs have no loop, and of most no iteration is shown.
const InIterations = part(() => import("./InIterations"));

/** The tasks of a run as a graph: what there is, and what is still to come. */
export default function Graph() {
  const { spec } = useRunView();
  if (!spec) {
    return <Loading what="Loading the pipeline" lines={6} />;
  }
  return <GraphOfRun spec={spec.pipeline_spec} />;
}

function GraphOfRun({ spec }: { spec: PipelineSpec }) {
  const view = useRunView();
  const { selected, select } = useSelection();
  const { choices, choose } = useChoices();
  const [picking, setPicking] = useState<string>();
  const [isCritical, setCritical] = useCritical();
  const usual = useMemo(() => usuallyOpen(spec), [spec]);
  const graph = useGraphOf(spec, choices, usual, selected);
  const { nodes, reading } = useNodesByPath(graph.children);
  const dataOf = useCallback((item: Item) => dataIn(nodes, item), [nodes]);
  const standings = useStandings(graph.children, dataOf);
  const critical = useMemo(() => (isCritical ? criticalPath([...nodes.values()]) : undefined), [isCritical, nodes]);
  const all = useCallback(
    () =>
      drawn(
        graphOf(spec, undefined, {
          isOpen: () => true,
          // Of a loop of which no iteration is shown, what each of them does is found.
          iterationOf: (path) => choices.iterations.get(path) ?? "each",
        }).children,
      ),
    [spec, choices.iterations],
  );
  const onSelect = (item: Item) => select(selected === item.path ? undefined : item.path);
  const onToggle = (item: Item) => {
    const next = item.isOpen && isWithin(selected, item.path) ? item.path : undefined;
    choose(
      item.form === "loop"
        ? withIteration(choices, item.path, item.isOpen ? undefined : "each")
        : withGroup(choices, usual, item.path, !item.isOpen),
      next,
    );
  };
  if (graph.children.length === 0) {
    return <Empty title="This pipeline has no tasks" />;
  }
  const loop = picking === undefined ? undefined : nodes.get(picking);
  return (
    <>
      <Canvas
        graph={graph}
        all={all}
        dataOf={dataOf}
        standings={standings}
        selected={selected}
        onSelect={onSelect}
        onToggle={onToggle}
        onPick={(item) => setPicking(item.path)}
        onReveal={(path) => choose(revealing(choices, usual, path))}
        onOpenAll={(open) => choose({ base: open ? "all" : "none", flipped: new Set(), iterations: new Map() })}
        critical={critical}
        at={view.instant}
        tools={
          <Button
            kind="quiet"
            aria-pressed={isCritical}
            title="The tasks that the run's duration was made of"
            onClick={() => setCritical(!isCritical)}
          >
            Critical path
          </Button>
        }
      />
      {reading}
      {loop && (
        <Suspense>
          <Iterations
            loop={loop}
            onClose={() => setPicking(undefined)}
            onChoose={(index) => {
              setPicking(undefined);
              const next = isWithin(selected, loop.path) ? loop.path : undefined;
              choose(withIteration(choices, loop.path, index), next);
            }}
          />
        </Suspense>
      )}
    </>
  );
}

/** The graph as far as it is open. It stays the very same while that does, whatever else is chosen. */
function useGraphOf(spec: PipelineSpec, choices: Choices, usual: ReadonlySet<string>, selected: string | undefined) {
  const platform = useRunView().spec?.platform_spec;
  const graph = useMemo(
    () => graphOf(spec, platform, openingOf(choices, usual, selected)),
    [spec, platform, choices, usual, selected],
  );
  const shape = useMemo(() => {
    const words = [...drawn(graph.children)].map(
      (item) => `${item.path}${item.isOpen ? `:${item.iteration ?? ""}` : ""}`,
    );
    return words.join("\n");
  }, [graph]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: graphs of one shape are the same
  return useMemo(() => graph, [spec, shape]);
}

/** All nodes that are known, by their paths: the run's, and those of the iterations that are shown. */
function useNodesByPath(children: readonly Item[]): { nodes: ReadonlyMap<string, TreeNode>; reading: ReactNode } {
  const { runId, byPath, past } = useRunView();
  const [more, setMore] = useState<readonly TreeNode[]>([]);
  const shown = useMemo(
    () =>
      [...drawn(children)].flatMap((item) =>
        item.form === "loop" && item.iteration !== undefined ? [`${item.path}[${item.iteration}]`] : [],
      ),
    [children],
  );
  const nodes = useMemo(() => {
    const all = new Map(byPath);
    for (const node of more) {
      all.set(node.path, node);
    }
    return all;
  }, [byPath, more]);
  const reading = shown.length > 0 && (
    <Suspense>
      <InIterations runId={runId} paths={shown} at={past} onNodes={setMore} />
    </Suspense>
  );
  return { nodes, reading };
}

/** What there is of an item, or of the nearest group around it that has begun. */
function dataIn(nodes: ReadonlyMap<string, TreeNode>, item: Item): BoxData {
  const node = nodes.get(item.path);
  // Of the body of a loop, which stands for all of its iterations, nothing can be said.
  if (node || item.path.includes("[*]")) {
    return { item, node, around: undefined };
  }
  let at = item.parent;
  while (at !== "" && !nodes.has(at)) {
    at = at.replace(/(\[\d+\]|(^|\/)[^/[]*)$/, "");
  }
  return { item, node, around: nodes.get(at) };
}

function useStandings(children: readonly Item[], dataOf: (item: Item) => BoxData): ReadonlyMap<string, Standing> {
  return useMemo(() => {
    const standings = new Map<string, Standing>();
    for (const item of drawn(children)) {
      const { node, around } = dataOf(item);
      const { standing } = cardOf(item, node, around);
      if (standing) {
        standings.set(item.path, standing);
      }
    }
    return standings;
  }, [children, dataOf]);
}

function useCritical(): [boolean, (on: boolean) => void] {
  const [query, change] = useAddressWords();
  const set = (on: boolean) => change({ critical: on ? "1" : undefined });
  return [query.get("critical") === "1", set];
}
