/** Paints what is in sight of a graph on a canvas: the lines, and from afar the boxes too. */
import { LINE_KINDS, type Line, type LineKind, traceHead, traceLine } from "../../../model/graphLines";
import { type Distance, isInSight, type Sight } from "../../../model/graphSight";
import type { Direction, Place } from "../../../model/layout";
import { boxKey, type Colours, type Look, type Palette, type Shape } from "./Swatches";

/** A box as a mark. */
export interface Mark {
  place: Place;
  look: Look;
  title: string;
  isGroup: boolean;
  isOpen: boolean;
  outline: "found" | "critical" | undefined;
}

/** Widths of lines, near and far off, and the least on the screen. */
const WIDTHS: Record<LineKind, readonly [near: number, far: number, least: number]> = {
  dim: [1.5, 2.5, 0.25],
  plain: [1.5, 2.5, 0.25],
  running: [2, 3.5, 0.6],
  critical: [3, 9, 1.2],
  near: [2.5, 9, 1.2],
};
const DIM = 0.4;
const DASHES = [6, 4];
/** Of what is dashed and moves, one round. */
export const ROUND = 10;

/** On the screen: steps of a line that are shorter are left out, and letters and heads of arrows that are smaller. */
const LEAST_STEP = 2.5;
const LEAST_LETTER = 6;
const LEAST_ZOOM_OF_HEADS = 0.25;

/** Letters, shapes and edges of boxes that are far off, as the page's own boxes have them. */
const LETTER = 24;
const SHAPE = 40;
const BAR = 8;
const EDGE = 2;

export function paintLines(
  context: CanvasRenderingContext2D,
  lines: ReadonlyMap<LineKind, readonly Line[]>,
  palette: Palette,
  direction: Direction,
  sight: Sight,
  distance: Distance,
  /** How far what runs has moved. */
  moved: number,
): void {
  const isCurved = distance !== "tiny";
  const least = isCurved ? 0 : LEAST_STEP / sight.zoom;
  for (const kind of LINE_KINDS) {
    const these = lines.get(kind) ?? [];
    const [near, far, leastWidth] = WIDTHS[kind];
    const colour = palette.lines.get(kind) ?? "";
    context.globalAlpha = kind === "dim" ? DIM : 1;
    context.strokeStyle = colour;
    context.lineWidth = Math.max(distance === "near" ? near : far, leastWidth / sight.zoom);
    context.setLineDash(kind === "running" && distance === "near" ? DASHES : []);
    context.lineDashOffset = -moved;
    context.beginPath();
    for (const line of these) {
      traceLine(context, line, direction, sight, isCurved, least);
    }
    context.stroke();
    if (sight.zoom >= LEAST_ZOOM_OF_HEADS) {
      context.fillStyle = colour;
      context.beginPath();
      for (const line of these) {
        traceHead(context, line, direction, sight);
      }
      context.fill();
    }
  }
  context.globalAlpha = 1;
  context.setLineDash([]);
}

export class MarkPainter {
  readonly #palette: Palette;
  readonly #stamps = new Map<string, { size: number; canvas: HTMLCanvasElement }>();
  readonly #titles = new Map<string, string>();

  constructor(palette: Palette) {
    this.#palette = palette;
  }

  /**
   * Paints those of the marks that are of open groups, or those that are not: lines go between. What is an element of the
   * page is left out. `density` is how many pixels the screen has for one.
   */
  paint(
    context: CanvasRenderingContext2D,
    marks: readonly Mark[],
    sight: Sight,
    distance: "far" | "tiny",
    areOpen: boolean,
    elements: ReadonlySet<string>,
    density: number,
  ): void {
    const edge = Math.max(EDGE, 1 / sight.zoom);
    const stamp = Math.max(1, Math.round(SHAPE * sight.zoom * density));
    context.font = `${LETTER}px ${this.#palette.font}`;
    context.textBaseline = "middle";
    context.lineWidth = edge;
    for (const mark of marks) {
      if (mark.isOpen !== areOpen || !isInSight(mark.place, sight) || elements.has(mark.place.id)) {
        continue;
      }
      const colours = this.#palette.boxes.get(boxKey(mark.look, distance, mark.isOpen));
      if (!colours) {
        continue;
      }
      paintBox(context, mark, colours, distance, edge);
      if (distance === "far" && !mark.isOpen) {
        this.#paintContent(context, mark, stamp, LETTER * sight.zoom >= LEAST_LETTER);
      }
      if (mark.outline) {
        paintOutline(context, mark.place, this.#palette.lines.get(mark.outline) ?? "", sight.zoom);
        context.lineWidth = edge;
      }
    }
  }

  #paintContent(context: CanvasRenderingContext2D, mark: Mark, stamp: number, isLegible: boolean): void {
    const { x, y, width, height } = mark.place;
    const shape = this.#palette.shapes.get(mark.look);
    const left = x + BAR + 8;
    if (shape) {
      const image = this.#stamp(mark.look, shape, stamp);
      const at = isLegible ? left : x + (width - SHAPE) / 2;
      context.drawImage(image, at, y + (height - SHAPE) / 2, SHAPE, SHAPE);
    }
    if (isLegible) {
      const from = shape ? left + SHAPE + 8 : left;
      context.fillStyle = this.#palette.text;
      context.fillText(this.#fitted(context, mark.title, x + width - from - 8), from, y + height / 2);
    }
  }

  /** A shape as an image as large as it is on the screen: the same lines would be drawn hundreds of times otherwise. */
  #stamp(name: string, shape: Shape, size: number): HTMLCanvasElement {
    const known = this.#stamps.get(name);
    if (known?.size === size) {
      return known.canvas;
    }
    const canvas = known?.canvas ?? document.createElement("canvas");
    canvas.width = size;
    canvas.height = size;
    const context = canvas.getContext("2d");
    if (context) {
      context.scale(size / 16, size / 16);
      context.strokeStyle = shape.colour;
      context.lineWidth = 1.5;
      context.lineCap = "round";
      context.lineJoin = "round";
      context.setLineDash(shape.dashes);
      context.stroke(shape.path);
    }
    this.#stamps.set(name, { size, canvas });
    return canvas;
  }

  /** As much of a title as there is room for. */
  #fitted(context: CanvasRenderingContext2D, title: string, room: number): string {
    const key = `${room} ${title}`;
    const known = this.#titles.get(key);
    if (known !== undefined) {
      return known;
    }
    let fitted = title;
    for (let length = title.length; length > 0 && context.measureText(fitted).width > room; ) {
      length -= 1;
      fitted = `${title.slice(0, length).trimEnd()}…`;
    }
    this.#titles.set(key, fitted);
    return fitted;
  }
}

function paintBox(
  context: CanvasRenderingContext2D,
  { place: { x, y, width, height }, isGroup, isOpen }: Mark,
  colours: Colours,
  distance: "far" | "tiny",
  edge: number,
): void {
  if (isGroup && !isOpen && distance === "far") {
    // More than one task: a second sheet behind the first.
    context.fillStyle = colours.state;
    context.fillRect(x + 2 * edge, y + 2 * edge, width, height);
  }
  context.fillStyle = colours.ground;
  context.fillRect(x, y, width, height);
  if (distance === "tiny" && !isOpen) {
    return;
  }
  context.strokeStyle = colours.line;
  context.setLineDash(colours.isDashed ? [4 * edge, 3 * edge] : []);
  context.strokeRect(x, y, width, height);
  context.fillStyle = colours.state;
  context.fillRect(x, y, BAR, height);
}

/** Seen from afar, marks are as wide on the screen as they are near. */
function paintOutline(context: CanvasRenderingContext2D, place: Place, colour: string, zoom: number): void {
  const wide = Math.max(3, 2 / zoom);
  context.strokeStyle = colour;
  context.lineWidth = wide;
  context.setLineDash([]);
  context.strokeRect(place.x - wide, place.y - wide, place.width + 2 * wide, place.height + 2 * wide);
}
