/** Figures, as they are printed and handed to who makes a table of them. */
import { appendFileSync } from "node:fs";

export interface Figure {
  what: string;
  values: readonly number[];
  unit?: "ms" | "kB" | "MB";
  /** What its median should stay under. */
  goal?: number;
  /** More that belongs to it, in words. */
  beside?: string;
}

/** Prints a figure; the file of PENSTOCK_FIGURES gets it as a line of JSON. */
export function tell({ unit = "ms", ...figure }: Figure): void {
  const sorted = [...figure.values].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]?.toFixed(0);
  console.info(`${figure.what}: median ${at(0.5)} ${unit}, from ${at(0)} to ${at(1)}, ${sorted.length} times`);
  const file = process.env.PENSTOCK_FIGURES;
  if (file) {
    appendFileSync(file, `${JSON.stringify({ unit, ...figure })}\n`);
  }
}
