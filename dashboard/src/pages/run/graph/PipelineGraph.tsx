import { useCallback, useMemo } from "react";
import type { Json } from "../../../api/kfp";
import type { PipelineSpec } from "../../../api/penstock";
import { Empty } from "../../../design/Notice";
import { drawn, graphOf, type Item } from "../../../model/graph";
import { isWithin, openingOf, revealing, usuallyOpen, withGroup } from "../../../model/graphOpening";
import { noteOf } from "../../../model/plannedTask";
import { useSelection } from "../view";
import { Canvas } from "./Canvas";
import { useChoices } from "./useChoices";

const NOTHING = new Map<string, never>();

/** The graph of a pipeline before any run. What is chosen in it is in the address, as `task`. */
export function PipelineGraph({ spec, platform }: { spec: PipelineSpec; platform?: Json | undefined }) {
  const { selected, select } = useSelection();
  const { choices, choose } = useChoices();
  const usual = useMemo(() => usuallyOpen(spec, "bodies"), [spec]);
  const opening = useMemo(() => openingOf(choices, usual, selected, "bodies"), [choices, usual, selected]);
  const graph = useMemo(() => graphOf(spec, platform, opening), [spec, platform, opening]);
  const all = useCallback(
    () => drawn(graphOf(spec, undefined, { isOpen: () => true, iterationOf: () => "each" }).children),
    [spec],
  );
  const dataOf = useCallback(
    (item: Item) => ({ item, node: undefined, around: undefined, note: noteOf(spec, item) }),
    [spec],
  );
  const onSelect = useCallback(
    (item: Item) => select(selected === item.path ? undefined : item.path),
    [select, selected],
  );
  if (graph.children.length === 0) {
    return <Empty title="This pipeline has no tasks" />;
  }
  return (
    <Canvas
      graph={graph}
      all={all}
      dataOf={dataOf}
      standings={NOTHING}
      selected={selected}
      onSelect={onSelect}
      onToggle={(item) => {
        // What is selected is always seen: when its group closes, the group is selected.
        const next = item.isOpen && isWithin(selected, item.path) ? item.path : undefined;
        choose(withGroup(choices, usual, item.path, !item.isOpen), next);
      }}
      onReveal={(path) => choose(revealing(choices, usual, path))}
      onOpenAll={(open) => choose({ ...choices, base: open ? "all" : "none", flipped: new Set() })}
    />
  );
}
