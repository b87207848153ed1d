import { useReactFlow, useStore } from "@xyflow/react";
import { memo, type PointerEvent, useMemo, useRef } from "react";
import type { Standing } from "../../../model/state";
import style from "./Overview.module.css";
import type { LaidOut } from "./useLayout";

const WIDTH = 200;
const HEIGHT = 140;

/** A big graph in small, and the part of it that is seen. Dragging moves that. */
export function Overview({ laid, standings }: { laid: LaidOut; standings: ReadonlyMap<string, Standing> }) {
  const { width, height } = laid.layout;
  const scale = Math.min(WIDTH / Math.max(width, 1), HEIGHT / Math.max(height, 1));
  const flow = useReactFlow();
  const map = useRef<SVGSVGElement>(null);
  const seen = useStore(
    ({ transform: [x, y, zoom], width, height }) => `${-x / zoom} ${-y / zoom} ${width / zoom} ${height / zoom}`,
  );
  const [x, y, w, h] = seen.split(" ").map((value) => Number(value) * scale) as [number, number, number, number];
  const go = (event: PointerEvent) => {
    const at = map.current?.getBoundingClientRect();
    if (at && event.buttons === 1) {
      void flow.setCenter((event.clientX - at.left) / scale, (event.clientY - at.top) / scale, {
        zoom: flow.getZoom(),
      });
    }
  };
  return (
    <div className={style.overview}>
      <svg
        ref={map}
        width={width * scale}
        height={height * scale}
        role="img"
        aria-label="The whole graph in small, and the part of it that is shown"
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          go(event);
        }}
        onPointerMove={go}
      >
        <Blots laid={laid} standings={standings} scale={scale} />
        <rect className={style.seen} x={x} y={y} width={Math.max(w, 4)} height={Math.max(h, 4)} />
      </svg>
    </div>
  );
}

const Blots = memo(function Blots({
  laid,
  standings,
  scale,
}: {
  laid: LaidOut;
  standings: ReadonlyMap<string, Standing>;
  scale: number;
}) {
  const shapes = useMemo(() => {
    const byStanding = new Map<string, string[]>();
    for (const { id, x, y, width, height } of laid.layout.places) {
      const item = laid.items.get(id);
      const name = item?.isOpen && item.children.length > 0 ? "open" : (standings.get(id) ?? "none");
      const [w, h] = [Math.max(width * scale, 1), Math.max(height * scale, 1)];
      const shape = byStanding.get(name) ?? [];
      shape.push(
        `M${(x * scale).toFixed(1)} ${(y * scale).toFixed(1)}h${w.toFixed(1)}v${h.toFixed(1)}h-${w.toFixed(1)}z`,
      );
      byStanding.set(name, shape);
    }
    return byStanding;
  }, [laid, standings, scale]);
  // What is open lies behind what it holds.
  const names = [...shapes.keys()].sort((a, b) => Number(b === "open") - Number(a === "open"));
  return names.map((name) => (
    <path key={name} className={style.blot} data-standing={name} d={shapes.get(name)?.join("")} />
  ));
});
