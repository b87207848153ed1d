import { type Node, ReactFlow, ReactFlowProvider, useStore } from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { type KeyboardEvent, type ReactNode, useCallback, useMemo, useRef, useState } from "react";
import { useShortcuts } from "../../../app/keys";
import { Loading } from "../../../design/Notice";
import type { CriticalPath } from "../../../model/criticalPath";
import type { Item } from "../../../model/graph";
import { type Move, Walk } from "../../../model/graphBoxes";
import type { Direction } from "../../../model/layout";
import type { Standing } from "../../../model/state";
import { Box } from "./Box";
import style from "./Canvas.module.css";
import { type BoxData, GraphContext, type GraphState } from "./graphContext";
import { Lines } from "./Lines";
import { Overview } from "./Overview";
import { Toolbar } from "./Toolbar";
import { type LaidOut, useLayout } from "./useLayout";
import { useSearch } from "./useSearch";
import { useSight } from "./useSight";

const NODE_TYPES = { box: Box };
/** Below it words cannot be read, and boxes show shape and colour alone; further off, colour. */
const NEAR = 0.45;
const TINY = 0.16;
/** With more boxes than that there is a small picture of all. */
const MANY = 40;
const MOVES: Record<string, Move> = { ArrowDown: "down", ArrowUp: "up", ArrowLeft: "left", ArrowRight: "right" };

export interface CanvasProps {
  graph: Pick<Item, "children" | "edges">;
  /** All items, also those in closed groups, for searches. */
  all: () => Iterable<Item>;
  dataOf: (item: Item) => BoxData;
  /** How the items that are drawn stand; empty before a run. */
  standings: ReadonlyMap<string, Standing>;
  selected: string | undefined;
  onSelect: (item: Item) => void;
  onToggle: (item: Item) => void;
  onPick?: (item: Item) => void;
  /** Opens all groups around a path. */
  onReveal: (path: string) => void;
  onOpenAll: (open: boolean) => void;
  critical?: CriticalPath | undefined;
  at?: number | undefined;
  tools?: ReactNode;
}

/** A graph of tasks that can be moved, zoomed, searched and walked by keys. */
export function Canvas(props: CanvasProps) {
  return (
    <ReactFlowProvider>
      <Inner {...props} />
    </ReactFlowProvider>
  );
}

function useDirection(): [Direction, (direction: Direction) => void] {
  const key = "penstock.graph.direction";
  const [direction, set] = useState<Direction>(() => (localStorage.getItem(key) === "right" ? "right" : "down"));
  return [
    direction,
    (next) => {
      localStorage.setItem(key, next);
      set(next);
    },
  ];
}

function Inner(props: CanvasProps) {
  const [direction, setDirection] = useDirection();
  const laid = useLayout(props.graph, direction);
  const frame = useRef<HTMLElement>(null);
  const sight = useSight(laid, frame);
  const { onReveal } = props;
  const go = useCallback(
    (path: string) => {
      onReveal(path);
      sight.goTo(path);
    },
    [onReveal, sight.goTo],
  );
  const search = useSearch(props.all, go);
  useShortcuts(useMemo(() => [{ keys: "f", label: "Fit the graph", perform: sight.fitAll }], [sight.fitAll]));
  const hasGroups = useMemo(() => [...props.all()].some((item) => item.canOpen), [props.all]);
  return (
    <div className={style.canvas}>
      <Toolbar
        search={search}
        hasGroups={hasGroups}
        onOpenAll={(open) => {
          props.onOpenAll(open);
          sight.fitNext();
        }}
        direction={direction}
        onDirection={(next) => {
          setDirection(next);
          sight.fitNext();
        }}
        onFit={sight.fitAll}
      >
        {props.tools}
      </Toolbar>
      <section ref={frame} className={style.frame} aria-label="Graph of tasks: arrow keys move, Enter opens, e expands">
        {laid ? (
          <Drawn {...props} laid={laid} found={search.found} sight={sight} frame={frame} />
        ) : (
          <Loading what="Laying out the graph" lines={6} />
        )}
      </section>
    </div>
  );
}

function Drawn({
  laid,
  found,
  sight,
  frame,
  ...props
}: CanvasProps & {
  laid: LaidOut;
  found: readonly string[];
  sight: ReturnType<typeof useSight>;
  frame: React.RefObject<HTMLElement | null>;
}) {
  const { selected, onSelect, onToggle, onPick, critical, at } = props;
  const walk = useMemo(() => new Walk(laid.graph, laid.layout, laid.direction), [laid]);
  const [focused, setFocused] = useState<string>();
  const current = [focused, selected, walk.first].find((path) => path !== undefined && laid.items.has(path));
  const distance = useStore(({ transform: [, , zoom] }) => (zoom >= NEAR ? "near" : zoom >= TINY ? "far" : "tiny"));
  const nodes = useNodes(laid, props.dataOf);
  const running = useMemo(
    () => new Set([...props.standings].flatMap(([path, standing]) => (standing === "running" ? [path] : []))),
    [props.standings],
  );
  const toggle = useCallback(
    (item: Item) => {
      sight.hold(item.path);
      onToggle(item);
    },
    [sight.hold, onToggle],
  );
  const pick = useMemo(
    () =>
      onPick &&
      ((item: Item) => {
        sight.hold(item.path);
        onPick(item);
      }),
    [sight.hold, onPick],
  );
  const state = useMemo<GraphState>(
    () => ({
      selected,
      focused: current,
      found: new Set(found),
      critical: critical?.nodes,
      at,
      distance,
      select: onSelect,
      toggle,
      pick,
      focus: setFocused,
      hasFocus: () => frame.current?.contains(document.activeElement) ?? false,
    }),
    [selected, current, found, critical, at, distance, onSelect, toggle, pick, frame],
  );
  const press = (event: KeyboardEvent) => {
    const item = current === undefined ? undefined : laid.items.get(current);
    if (!item || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const move = MOVES[event.key];
    if (move) {
      event.preventDefault();
      const next = walk.from(item.path, move);
      if (next) {
        setFocused(next);
        sight.show(next);
      }
    } else if (event.key === "e" && item.canOpen) {
      event.preventDefault();
      const isChoice = item.form === "loop" && !item.isOpen && pick && props.dataOf(item).node?.items !== undefined;
      (isChoice ? pick : toggle)(item);
    }
  };
  return (
    <GraphContext value={state}>
      <ReactFlow
        nodes={nodes}
        edges={NO_EDGES}
        nodeTypes={NODE_TYPES}
        onlyRenderVisibleElements
        nodesDraggable={false}
        nodesConnectable={false}
        nodesFocusable={false}
        elementsSelectable={false}
        disableKeyboardA11y
        deleteKeyCode={null}
        minZoom={0.02}
        maxZoom={2}
        zoomOnDoubleClick={false}
        attributionPosition="bottom-left"
        onInit={() => sight.begin(selected, [...running][0])}
        onKeyDown={press}
      >
        <Lines
          laid={laid}
          selected={selected}
          running={running}
          critical={critical?.edges}
          isNear={distance === "near"}
        />
      </ReactFlow>
      {laid.items.size > MANY && <Overview laid={laid} standings={props.standings} />}
    </GraphContext>
  );
}

const NO_EDGES: never[] = [];

/** Boxes for the library that shows those in sight. What did not change stays the very same, and is not drawn again. */
function useNodes(laid: LaidOut, dataOf: (item: Item) => BoxData): Node<BoxData>[] {
  const known = useRef(new Map<string, { node: Node<BoxData>; laid: LaidOut }>());
  return useMemo(() => {
    const next = new Map<string, { node: Node<BoxData>; laid: LaidOut }>();
    const nodes: Node<BoxData>[] = [];
    for (const { id, x, y, width, height, depth } of laid.layout.places) {
      const item = laid.items.get(id);
      if (!item) {
        continue;
      }
      const data = dataOf(item);
      const before = known.current.get(id);
      const { item: _, node, around } = before?.node.data ?? {};
      const isSame = before?.laid === laid && node === data.node && around === data.around;
      const made: Node<BoxData> = isSame
        ? before.node
        : {
            id,
            type: "box",
            position: { x, y },
            width,
            height,
            measured: { width, height },
            handles: [],
            zIndex: depth,
            data,
            domAttributes: { "aria-roledescription": undefined as never },
          };
      next.set(id, { node: made, laid });
      nodes.push(made);
    }
    known.current = next;
    return nodes;
  }, [laid, dataOf]);
}
