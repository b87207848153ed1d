/** A line of a log as a terminal would show it. */
import Anser from "anser";

/** The colours of terminals, in their order. */
export const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"] as const;

export type Colour = (typeof COLOURS)[number];

export interface Span {
  text: string;
  colour?: Colour;
  ground?: Colour;
  bold?: true;
  dim?: true;
  italic?: true;
  underline?: true;
  /** It is what is searched for. */
  hit?: true;
}

// Titles of windows and links, and whatever moves the cursor.
const OTHER_SEQUENCES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what this is about
  /\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|\[[0-9;:?<=>]*[ -/]*[@-ln-~]|[()][A-Z0-9]|[=>78cDEHM])/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what this is about
const STYLES = /\x1b\[[0-9;:]*m/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what this is about
const CONTROLS = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/g;

/** What is left of a line that was written over and over, as progress bars do. */
function overwritten(line: string): string {
  const text = line.replace(/\r+$/, "");
  return text.slice(text.lastIndexOf("\r") + 1);
}

const shown = (text: string) =>
  text.replace(CONTROLS, (control) =>
    String.fromCharCode(control === "\x7f" ? 0x2421 : 0x2400 + control.charCodeAt(0)),
  );

/** The words of a line without how they look. */
export function plain(line: string): string {
  const text = overwritten(line);
  return text.includes("\x1b") ? text.replace(OTHER_SEQUENCES, "").replace(STYLES, "") : text;
}

/** Words of one look each. */
export function spansOf(line: string): Span[] {
  const text = overwritten(line);
  if (!text.includes("\x1b")) {
    return text === "" ? [] : [{ text: shown(text) }];
  }
  const parts = Anser.ansiToJson(text.replace(OTHER_SEQUENCES, ""), {
    json: true,
    remove_empty: true,
    use_classes: true,
  });
  return parts.map(spanOf).filter((span) => span.text !== "");
}

function spanOf(part: Anser.AnserJsonEntry): Span {
  const span: Span = { text: shown(part.content) };
  const colour = colourOf(part.fg, part.fg_truecolor);
  const ground = colourOf(part.bg, part.bg_truecolor);
  if (colour) {
    span.colour = colour;
  }
  if (ground) {
    span.ground = ground;
  }
  for (const look of part.decorations) {
    if (look === "bold" || look === "dim" || look === "italic" || look === "underline") {
      span[look] = true;
    }
  }
  return span;
}

/** One of the eight, which are legible in both themes: colours that a program chose for black grounds are not. */
function colourOf(name: string | null, exact: string | null): Colour | undefined {
  if (!name) {
    return undefined;
  }
  if (name === "ansi-truecolor") {
    const [red = 0, green = 0, blue = 0] = (exact ?? "").split(",").map(Number);
    return nearest(red, green, blue);
  }
  const palette = /^ansi-palette-(\d+)$/.exec(name)?.[1];
  if (palette !== undefined) {
    return ofPalette(Number(palette));
  }
  return COLOURS.find((colour) => name === `ansi-${colour}` || name === `ansi-bright-${colour}`);
}

/** A colour of the palette of 256: 16 by name, a cube of 6, and greys. */
function ofPalette(index: number): Colour | undefined {
  if (index < 16) {
    return COLOURS[index % 8];
  }
  if (index >= 232) {
    return index < 244 ? "black" : "white";
  }
  const level = (step: number) => (step % 6) * 51;
  const place = index - 16;
  return nearest(level(Math.floor(place / 36)), level(Math.floor(place / 6)), level(place));
}

/** By hue: which of the three are strong beside the strongest. */
function nearest(red: number, green: number, blue: number): Colour | undefined {
  const most = Math.max(red, green, blue);
  const least = Math.min(red, green, blue);
  if (most - least < 32) {
    return most < 128 ? "black" : "white";
  }
  const strong = [red, green, blue].map((part) => (part - least) * 2 > most - least);
  const index = (strong[0] ? 1 : 0) + (strong[1] ? 2 : 0) + (strong[2] ? 4 : 0);
  return COLOURS[index];
}

/** Spans with what is searched for marked; `needle` is in small letters unless `exact`. */
export function marked(spans: readonly Span[], needle: string, exact: boolean): Span[] {
  if (needle === "") {
    return [...spans];
  }
  const whole = spans.map((span) => span.text).join("");
  const text = exact ? whole : lowered(whole);
  const cuts: [number, number][] = [];
  for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + needle.length)) {
    cuts.push([at, at + needle.length]);
  }
  return cuts.length === 0 ? [...spans] : cut(spans, cuts);
}

function cut(spans: readonly Span[], cuts: readonly [number, number][]): Span[] {
  const out: Span[] = [];
  let offset = 0;
  for (const span of spans) {
    const end = offset + span.text.length;
    let at = offset;
    const piece = (to: number, hit: boolean) => {
      if (to > at) {
        out.push({ ...span, text: span.text.slice(at - offset, to - offset), ...(hit ? { hit: true } : {}) });
        at = to;
      }
    };
    for (const [from, to] of cuts) {
      if (to > at && from < end) {
        piece(Math.max(from, at), false);
        piece(Math.min(to, end), true);
      }
    }
    piece(end, false);
    offset = end;
  }
  return out;
}

/** In small letters, each at the place where it was: some letters would become two. */
export function lowered(text: string): string {
  const small = text.toLowerCase();
  return small.length === text.length ? small : Array.from(text, (letter) => same(letter)).join("");
}

function same(letter: string): string {
  const small = letter.toLowerCase();
  return small.length === letter.length ? small : letter;
}
