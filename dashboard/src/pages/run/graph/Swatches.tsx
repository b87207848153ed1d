import { type RefObject, useLayoutEffect, useState } from "react";
import { StatusMark } from "../../../design/StatusMark";
import { LINE_KINDS } from "../../../model/graphLines";
import { STANDING_WORDS, type Standing } from "../../../model/state";
import box from "./Box.module.css";
import style from "./Picture.module.css";

/** How boxes without a state are told from those that have one. */
export type Look = Standing | "none";

const STANDINGS = Object.keys(STANDING_WORDS) as Standing[];
const LOOKS: readonly Look[] = [...STANDINGS, "none"];

/** Colours of a box. */
export interface Colours {
  ground: string;
  line: string;
  state: string;
  isDashed: boolean;
}

/** A drawing of lines on a grid of 16. */
export interface Shape {
  path: Path2D;
  dashes: number[];
  colour: string;
}

/** What a picture is painted with: what the page's own boxes, marks and lines look like. */
export interface Palette {
  boxes: ReadonlyMap<string, Colours>;
  shapes: ReadonlyMap<string, Shape>;
  lines: ReadonlyMap<string, string>;
  font: string;
  text: string;
}

export const boxKey = (look: Look, distance: "far" | "tiny", isOpen: boolean) =>
  `${look} ${distance}${isOpen ? " open" : ""}`;

/** One of each, never shown, for a palette to be read from. */
export function Swatches({ of }: { of: RefObject<HTMLDivElement | null> }) {
  return (
    <div ref={of} hidden className={style.swatches}>
      {LOOKS.flatMap((look) =>
        (["far", "tiny"] as const).flatMap((distance) =>
          [false, true].map((isOpen) => (
            <div
              key={boxKey(look, distance, isOpen)}
              className={box.box}
              data-key={boxKey(look, distance, isOpen)}
              data-standing={look}
              data-distance={distance}
              data-open={isOpen || undefined}
            />
          )),
        ),
      )}
      {STANDINGS.map((standing) => (
        <div key={standing} data-shape={standing}>
          <StatusMark standing={standing} mute />
        </div>
      ))}
      {[...LINE_KINDS, "found"].map((kind) => (
        <div key={kind} className={style.line} data-kind={kind} />
      ))}
    </div>
  );
}

/** The palette of the theme that is shown, once there is one to read. */
export function usePalette(swatches: RefObject<HTMLDivElement | null>): Palette | undefined {
  const [palette, setPalette] = useState<Palette>();
  useLayoutEffect(() => {
    const read = () => swatches.current && setPalette(readPalette(swatches.current));
    read();
    const system = matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", read);
    const chosen = new MutationObserver(read);
    chosen.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => {
      system.removeEventListener("change", read);
      chosen.disconnect();
    };
  }, [swatches]);
  return palette;
}

function readPalette(root: HTMLElement): Palette {
  const each = <T,>(attribute: string, read: (element: HTMLElement, style: CSSStyleDeclaration) => T) =>
    new Map(
      [...root.querySelectorAll<HTMLElement>(`:scope > [data-${attribute}]`)].map((element) => [
        element.dataset[attribute] ?? "",
        read(element, getComputedStyle(element)),
      ]),
    );
  const own = getComputedStyle(root);
  return {
    boxes: each("key", (_, style) => ({
      ground: style.backgroundColor,
      line: style.borderTopColor,
      state: style.borderLeftColor,
      isDashed: style.borderTopStyle === "dashed",
    })),
    shapes: each("shape", (element) => {
      const path = element.querySelector("path");
      const dashes = path?.getAttribute("stroke-dasharray")?.split(" ").map(Number) ?? [];
      const mark = element.firstElementChild ?? element;
      return { path: new Path2D(path?.getAttribute("d") ?? ""), dashes, colour: getComputedStyle(mark).color };
    }),
    lines: each("kind", (_, style) => style.color),
    font: own.fontFamily,
    text: own.color,
  };
}
