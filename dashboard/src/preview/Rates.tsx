import { type ReactNode, useId } from "react";
import type { CurvePoint } from "../model/previewMetrics";
import style from "./Preview.module.css";

const SIDE = 260;
const LEFT = 40;
const BOTTOM = 36;
const TOP = 8;
const LINES = [0, 0.25, 0.5, 0.75, 1];

export const x = (share: number) => LEFT + share * SIDE;
export const y = (share: number) => TOP + (1 - share) * SIDE;

/** Where a curve goes, as a polyline has it. */
export const pathOf = (points: readonly CurvePoint[]) =>
  points.map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(" ");

/** The square in which ROC curves are drawn: true positives against false ones, and what chance gives. */
export function Rates({ title, children }: { title: string; children: ReactNode }) {
  const id = useId();
  return (
    <svg
      className={style.curve}
      viewBox={`0 0 ${LEFT + SIDE + 12} ${TOP + SIDE + BOTTOM}`}
      role="img"
      aria-labelledby={id}
    >
      <title id={id}>{title}</title>
      {LINES.map((share) => (
        <g key={share} className={style.grid}>
          <line x1={x(0)} x2={x(1)} y1={y(share)} y2={y(share)} />
          <line x1={x(share)} x2={x(share)} y1={y(0)} y2={y(1)} />
          <text x={LEFT - 6} y={y(share) + 4} textAnchor="end">
            {share}
          </text>
          <text x={x(share)} y={y(0) + 14} textAnchor="middle">
            {share}
          </text>
        </g>
      ))}
      <line className={style.chance} x1={x(0)} y1={y(0)} x2={x(1)} y2={y(1)} />
      {children}
      <text className={style.axis} x={x(0.5)} y={TOP + SIDE + 32} textAnchor="middle">
        False positive rate
      </text>
      <text className={style.axis} transform={`translate(11 ${y(0.5)}) rotate(-90)`} textAnchor="middle">
        True positive rate
      </text>
    </svg>
  );
}
