import { ReactFlow, ReactFlowProvider, useReactFlow, useStore } from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import {
  type KeyboardEvent,
  type MouseEvent,
  type ReactNode,
  Suspense,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { useShortcuts } from "../../../app/keys";
import { part } from "../../../app/part";
import { Loading } from "../../../design/Notice";
import type { CriticalPath } from "../../../model/criticalPath";
import type { Item } from "../../../model/graph";
import { type Move, Walk } from "../../../model/graphBoxes";
import { distanceAt, placeAt } from "../../../model/graphSight";
import type { Direction } from "../../../model/layout";
import type { Standing } from "../../../model/state";
import { Box } from "./Box";
import style from "./Canvas.module.css";
import { type BoxData, GraphContext, type GraphState } from "./graphContext";
import { Picture } from "./Picture";
import { Toolbar } from "./Toolbar";
import { useFocusWithin } from "./useFocusWithin";
import { useIsOfMarks } from "./useIsOfMarks";
import { type LaidOut, useLayout } from "./useLayout";
import { useElements, useNodes } from "./useNodes";
import { useSearch } from "./useSearch";
import { useSight } from "./useSight";

const NODE_TYPES = { box: Box };
const Overview = part(async () => ({ default: (await import("./Overview")).Overview }));
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
  const [focused, setFocused] = useState<Focused>({ path: undefined, before: undefined });
  const current = [focused.path, selected, walk.first].find((path) => path !== undefined && laid.items.has(path));
  const focus = useCallback(
    (path: string) => setFocused((was) => (was.path === path ? was : { path, before: current })),
    [current],
  );
  const hasFocus = useFocusWithin(frame);
  useSelectedInSight(selected, sight.show);
  const distance = useStore(({ transform: [, , zoom] }) => distanceAt(zoom));
  const isOfMarks = useIsOfMarks(laid.items.size);
  const pointing = usePointing(laid, isOfMarks, onSelect);
  const nodes = useNodes(laid, props.dataOf);
  const worked = [current, focused.before, selected, pointing.at];
  const { shown, elements } = useElements(nodes, isOfMarks, worked);
  const hits = useMemo(() => new Set(found), [found]);
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
      found: hits,
      critical: critical?.nodes,
      at,
      distance,
      select: onSelect,
      toggle,
      pick,
      focus,
      hasFocus,
    }),
    [selected, current, hits, critical, at, distance, onSelect, toggle, pick, focus, hasFocus],
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
        focus(next);
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
        nodes={shown}
        edges={NO_EDGES}
        nodeTypes={NODE_TYPES}
        onlyRenderVisibleElements={!isOfMarks}
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
        {...pointing.handlers}
      >
        <Picture
          laid={laid}
          standings={props.standings}
          selected={selected}
          found={hits}
          critical={critical}
          running={running}
          isOfMarks={isOfMarks}
          elements={elements}
        />
      </ReactFlow>
      {laid.items.size > MANY && (
        <Suspense>
          <Overview laid={laid} standings={props.standings} />
        </Suspense>
      )}
    </GraphContext>
  );
}

/** What is selected stays in sight, also when the frame gets smaller because something is shown beside it. */
function useSelectedInSight(selected: string | undefined, show: (path: string) => void) {
  const size = useStore(({ width, height }) => `${width} ${height}`);
  // biome-ignore lint/correctness/useExhaustiveDependencies: shown again when the frame's size changes
  useEffect(() => {
    if (selected !== undefined) {
      show(selected);
    }
  }, [selected, size, show]);
}

/** Who has the focus, and who had it before: that stays an element until the focus has gone on. */
interface Focused {
  path: string | undefined;
  before: string | undefined;
}

/** What is pointed at where boxes are marks: it becomes an element, which tells its name and answers. */
function usePointing(laid: LaidOut, isOn: boolean, onSelect: (item: Item) => void) {
  const flow = useReactFlow();
  const [at, setAt] = useState<string>();
  const find = (event: MouseEvent) => {
    const { x, y } = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY });
    const isOpen = (id: string) => (laid.items.get(id)?.isOpen && laid.items.get(id)?.children.length !== 0) ?? false;
    return placeAt(laid.layout.places, isOpen, x, y);
  };
  const handlers = {
    onPaneMouseMove: (event: MouseEvent) => event.buttons === 0 && setAt(find(event)),
    onPaneMouseLeave: () => setAt(undefined),
    // A finger points at nothing before it touches.
    onPaneClick: (event: MouseEvent) => {
      const item = laid.items.get(find(event) ?? "");
      if (item) {
        onSelect(item);
      }
    },
  };
  return isOn ? { at, handlers } : { at: undefined, handlers: undefined };
}

const NO_EDGES: never[] = [];
