/** What of a graph is in sight, how closely it is seen, and what lies at a point of it. */
import type { Place } from "./layout";
import { STANDING_WORDS, type Standing } from "./state";

/** The part of a graph that is in sight, in its own measure. */
export interface Sight {
  left: number;
  top: number;
  right: number;
  bottom: number;
  zoom: number;
}

/** Near, words can be read; far, names and shapes; tiny, colour alone. */
export type Distance = "near" | "far" | "tiny";

const NEAR = 0.45;
const TINY = 0.16;

/** More boxes than that are not elements of the page, each of which the browser would draw anew in every frame. */
const FEW = 150;
/** Of an open group the heading alone answers: the rest is ground to drag. */
export const ANSWERING = 52;

export function distanceAt(zoom: number): Distance {
  return zoom >= NEAR ? "near" : zoom >= TINY ? "far" : "tiny";
}

/** Whether boxes are marks in one picture, and not elements. */
export function areMarks(distance: Distance, count: number): boolean {
  return distance !== "near" && count > FEW;
}

/** What a frame of a size shows of a graph that is moved and zoomed. */
export function sightOf([x, y, zoom]: readonly [number, number, number], width: number, height: number): Sight {
  return { left: -x / zoom, top: -y / zoom, right: (width - x) / zoom, bottom: (height - y) / zoom, zoom };
}

export function isInSight({ x, y, width, height }: Omit<Place, "id" | "depth">, sight: Sight): boolean {
  return x <= sight.right && x + width >= sight.left && y <= sight.bottom && y + height >= sight.top;
}

/** The innermost box at a point, if it answers there. Groups come before what they hold. */
export function placeAt(
  places: readonly Place[],
  isOpen: (id: string) => boolean,
  x: number,
  y: number,
): string | undefined {
  for (let at = places.length - 1; at >= 0; at -= 1) {
    const place = places[at] as Place;
    if (x >= place.x && x < place.x + place.width && y >= place.y && y < place.y + place.height) {
      return isOpen(place.id) && y >= place.y + ANSWERING ? undefined : place.id;
    }
  }
  return undefined;
}

const ORDER: readonly Standing[] = [
  "failed",
  "running",
  "canceling",
  "waiting",
  "succeeded",
  "cached",
  "skipped",
  "canceled",
  "unknown",
];

/** A picture of many boxes in words: how many there are, and how they stand. */
export function pictureWords(count: number, standings: Iterable<Standing>): string {
  const counts = new Map<Standing, number>();
  for (const standing of standings) {
    counts.set(standing, (counts.get(standing) ?? 0) + 1);
  }
  const parts = ORDER.flatMap((standing) => {
    const of = counts.get(standing);
    return of ? [`${of} ${STANDING_WORDS[standing].toLowerCase()}`] : [];
  });
  return `${count} boxes, seen from afar${parts.length > 0 ? `: ${parts.join(", ")}` : ""}`;
}
