/** What an artifact holds, as far as that decides how it is shown. */
import type { Json } from "../api/kfp";
import type { Artifact } from "../api/penstock";

export type PreviewKind =
  | "metrics"
  | "classification"
  | "sliced"
  | "directory"
  | "html"
  | "markdown"
  | "image"
  | "table"
  | "json"
  | "text"
  | "binary"
  /** Its first bytes decide. */
  | "unknown";

const BY_TYPE: Record<string, PreviewKind> = {
  "system.Metrics": "metrics",
  "system.ClassificationMetrics": "classification",
  "system.SlicedClassificationMetrics": "sliced",
  "system.HTML": "html",
  "system.Markdown": "markdown",
};

const BY_EXTENSION: Record<string, PreviewKind> = {
  ...Object.fromEntries(["png", "jpg", "jpeg", "gif", "webp", "svg"].map((it) => [it, "image"])),
  ...Object.fromEntries(["csv", "tsv", "jsonl", "ndjson", "parquet"].map((it) => [it, "table"])),
  ...Object.fromEntries(
    ["txt", "log", "yaml", "yml", "toml", "ini", "py", "sh", "sql", "xml"].map((it) => [it, "text"]),
  ),
  ...{ json: "json", md: "markdown", markdown: "markdown", html: "html", htm: "html" },
};

/** How an artifact is shown by what is known without its bytes. */
export function kindOfArtifact(artifact: Artifact): PreviewKind {
  const kind = BY_TYPE[artifact.type];
  const hasContent = artifact.digest !== undefined;
  if (
    kind &&
    (kind === "html" || kind === "markdown" || !hasContent || Object.keys(artifact.metadata ?? {}).length > 0)
  ) {
    return kind;
  }
  return artifact.directory ? "directory" : kindOfName(artifact.uri);
}

export function kindOfName(name: string): PreviewKind {
  const last = name.split(/[?#]/)[0]?.split("/").at(-1) ?? "";
  const extension = last.includes(".") ? (last.split(".").at(-1) ?? "") : "";
  return BY_EXTENSION[extension.toLowerCase()] ?? "unknown";
}

const IMAGES: [string, number[]][] = [
  ["image/png", [0x89, 0x50, 0x4e, 0x47]],
  ["image/jpeg", [0xff, 0xd8, 0xff]],
  ["image/gif", [0x47, 0x49, 0x46, 0x38]],
];

/** The type of an image by its first bytes; an SVG is text, and only shown as an image. */
export function imageType(bytes: Uint8Array): string | undefined {
  const begins = (magic: number[], at = 0) => magic.every((byte, place) => bytes[at + place] === byte);
  const found = IMAGES.find(([, magic]) => begins(magic));
  if (found) {
    return found[0];
  }
  if (begins([0x52, 0x49, 0x46, 0x46]) && begins([0x57, 0x45, 0x42, 0x50], 8)) {
    return "image/webp";
  }
  const start = new TextDecoder().decode(bytes.subarray(0, 512)).trimStart();
  return /^(<\?xml[^>]*>\s*)?(<!--[\s\S]*?-->\s*)?(<!DOCTYPE svg[^>]*>\s*)?<svg[\s>]/i.test(start)
    ? "image/svg+xml"
    : undefined;
}

/** What bytes without a telling name are. */
export function kindOfBytes(bytes: Uint8Array): PreviewKind {
  if (imageType(bytes)) {
    return "image";
  }
  if ([0x50, 0x41, 0x52, 0x31].every((byte, place) => bytes[place] === byte)) {
    return "table";
  }
  const begin = bytes.subarray(0, 8192);
  if (begin.includes(0)) {
    return "binary";
  }
  const text = new TextDecoder().decode(begin);
  if ((text.match(/�/g)?.length ?? 0) > text.length / 50 + 1) {
    return "binary";
  }
  if (/^\s*[[{]/.test(text)) {
    return isJsonLines(text) ? "table" : "json";
  }
  return separatorOf(text) ? "table" : "text";
}

function isJsonLines(text: string): boolean {
  const [first, second] = text.split("\n");
  try {
    return second?.startsWith("{") === true && typeof JSON.parse(first ?? "") === "object";
  } catch {
    return false;
  }
}

/** What parts the cells of a table: the same number of times in each of the first lines. */
export function separatorOf(text: string): "," | "\t" | ";" | undefined {
  const lines = text.split(/\r?\n/).slice(0, 8);
  // The last one may not be whole.
  const whole = lines.length > 2 ? lines.slice(0, -1) : lines.filter((line) => line !== "");
  if (whole.length < 2) {
    return undefined;
  }
  return ([",", "\t", ";"] as const).find((separator) => {
    const counts = whole.map((line) => cells(line, separator).length);
    return (counts[0] ?? 0) > 1 && counts.every((count) => count === counts[0]);
  });
}

const cells = (line: string, separator: string) => parseCsv(line, separator, 1)[0] ?? [];

/** Rows of a text of cells (RFC 4180), at most so many. */
export function parseCsv(text: string, separator: string, limit: number): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = "";
  let isQuoted = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at] ?? "";
    if (isQuoted) {
      if (letter !== '"') {
        cell += letter;
      } else if (text[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else {
        isQuoted = false;
      }
    } else if (letter === '"' && cell === "") {
      isQuoted = true;
    } else if (letter === separator) {
      row.push(cell);
      cell = "";
    } else if (letter === "\n") {
      row.push(cell.replace(/\r$/, ""));
      rows.push(row);
      if (rows.length === limit) {
        return rows;
      }
      row = [];
      cell = "";
    } else {
      cell += letter;
    }
  }
  if (cell !== "" || row.length > 0) {
    rows.push([...row, cell]);
  }
  return rows;
}

/** A table of the head of a file; the first row of one with separators names its columns. */
export function tableOf(
  text: string,
  isWhole: boolean,
  limit: number,
): { columns: string[]; rows: Json[][] } | undefined {
  const separator = separatorOf(text);
  const upTo = isWhole ? text : text.slice(0, text.lastIndexOf("\n") + 1);
  if (!separator || /^\s*\{/.test(text)) {
    return ofJsonLines(upTo, limit);
  }
  const [columns = [], ...rows] = parseCsv(upTo, separator, limit + 1);
  return { columns, rows };
}

function ofJsonLines(text: string, limit: number): { columns: string[]; rows: Json[][] } | undefined {
  const columns = new Map<string, number>();
  const objects: Record<string, Json>[] = [];
  for (const line of text
    .split("\n")
    .filter((it) => it.trim() !== "")
    .slice(0, limit)) {
    try {
      const value = JSON.parse(line) as Json;
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        return undefined;
      }
      objects.push(value);
      for (const name of Object.keys(value)) {
        columns.set(name, columns.size);
      }
    } catch {
      return undefined;
    }
  }
  const names = [...columns.keys()];
  return objects.length === 0
    ? undefined
    : { columns: names, rows: objects.map((it) => names.map((name) => it[name] ?? null)) };
}
