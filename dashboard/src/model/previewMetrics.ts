/** What KFP's artifacts of metrics say in their metadata. It is what a user's program wrote: any of it may be missing. */
import type { Json } from "../api/kfp";

export interface CurvePoint {
  /** False positive rate. */
  x: number;
  /** True positive rate. */
  y: number;
  threshold: number | undefined;
}

export interface Confusion {
  names: string[];
  rows: number[][];
}

type Metadata = Record<string, Json> | undefined;

const objectOf = (value: Json | undefined): Record<string, Json> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};

/** A list, or one within `list` or `struct`, as other versions of KFP wrote it. */
function listOf(value: Json | undefined): Json[] {
  if (Array.isArray(value)) {
    return value;
  }
  const inner = objectOf(value).list ?? objectOf(value).struct;
  return inner === undefined ? [] : listOf(inner);
}

const numberOf = (value: Json | undefined) => {
  const number = typeof value === "number" ? value : typeof value === "string" ? Number.parseFloat(value) : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
};

/** Metrics by name: whatever a program logged beside its artifact. */
export function scalarsOf(metadata: Metadata): [string, Json][] {
  return Object.entries(metadata ?? {}).filter(([name]) => name !== "display_name");
}

/** The points of a ROC curve from left to right. */
export function curveOf(metadata: Metadata): CurvePoint[] {
  const points = listOf(metadata?.confidenceMetrics).flatMap((entry) => {
    const { falsePositiveRate, recall, confidenceThreshold } = objectOf(entry);
    const [x, y] = [numberOf(falsePositiveRate), numberOf(recall)];
    return x === undefined || y === undefined ? [] : [{ x, y, threshold: numberOf(confidenceThreshold) }];
  });
  return points.sort((a, b) => a.x - b.x || a.y - b.y);
}

/** Area under a curve. */
export function areaUnder(points: readonly CurvePoint[]): number {
  return points.slice(1).reduce((sum, point, place) => {
    const before = points[place] ?? point;
    return sum + ((point.x - before.x) * (point.y + before.y)) / 2;
  }, 0);
}

export function confusionOf(metadata: Metadata): Confusion | undefined {
  const matrix = objectOf(objectOf(metadata?.confusionMatrix).struct ?? metadata?.confusionMatrix);
  const names = listOf(matrix.annotationSpecs).map((spec, place) => {
    const name = objectOf(spec).displayName;
    return typeof name === "string" ? name : `class ${place + 1}`;
  });
  const rows = listOf(matrix.rows).map((row) => listOf(objectOf(row).row ?? row).map((cell) => numberOf(cell) ?? 0));
  return names.length > 0 && rows.length > 0 ? { names, rows } : undefined;
}

/** Metrics of classification for each slice of the data. */
export function slicesOf(metadata: Metadata): { name: string; metadata: Record<string, Json> }[] {
  return listOf(metadata?.evaluationSlices).map((entry, place) => {
    const { slice, sliceClassificationMetrics } = objectOf(entry);
    return {
      name: typeof slice === "string" ? slice : `slice ${place + 1}`,
      metadata: objectOf(sliceClassificationMetrics),
    };
  });
}
