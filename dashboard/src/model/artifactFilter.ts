/** What a list of artifacts is narrowed by, as it stands in the address. */
import type { ArtifactsAsked } from "../api/artifacts";

export const TYPES = [
  "system.Artifact",
  "system.Dataset",
  "system.Model",
  "system.Metrics",
  "system.ClassificationMetrics",
  "system.SlicedClassificationMetrics",
  "system.HTML",
  "system.Markdown",
] as const;

export type Field = "type" | "name" | "pipeline" | "task" | "uri" | "digest" | "metadata";

export const FIELDS: readonly { name: Field; label: string; hint: string }[] = [
  { name: "type", label: "Type", hint: "" },
  { name: "name", label: "Name", hint: "Of the output" },
  { name: "pipeline", label: "Pipeline", hint: "Its name in the code" },
  { name: "task", label: "Task", hint: "Path of the task" },
  { name: "uri", label: "URI", hint: "The whole URI" },
  { name: "digest", label: "Digest", hint: "sha256:…" },
  { name: "metadata", label: "Metadata", hint: "framework=torch" },
];

/** The filter, or what is wrong with it. Metadata is written `key=value key2=value2`, or as JSON. */
export function readArtifactFilter(query: URLSearchParams): { asked: ArtifactsAsked; problem?: string } {
  const asked: ArtifactsAsked = {};
  for (const { name } of FIELDS) {
    const word = query.get(name)?.trim();
    if (!word) {
      continue;
    }
    if (name !== "metadata") {
      asked[name] = word;
      continue;
    }
    const metadata = readMetadata(word);
    if (metadata === undefined) {
      return { asked, problem: "Metadata is written key=value, or as a JSON object." };
    }
    asked.metadata = metadata;
  }
  return { asked };
}

function readMetadata(text: string): string | undefined {
  if (text.startsWith("{")) {
    try {
      return JSON.stringify(JSON.parse(text));
    } catch {
      return undefined;
    }
  }
  const pairs: [string, unknown][] = [];
  for (const word of text.split(/\s+/)) {
    const at = word.indexOf("=");
    if (at === -1) {
      // A key alone: whatever its value.
      pairs.push([word, null]);
    } else if (at === 0) {
      return undefined;
    } else {
      pairs.push([word.slice(0, at), literal(word.slice(at + 1))]);
    }
  }
  return JSON.stringify(Object.fromEntries(pairs));
}

/** Numbers and truth are what JSON has for them; all else is text. */
function literal(word: string): unknown {
  return /^(true|false|-?\d+(\.\d+)?([eE][+-]?\d+)?)$/.test(word) ? JSON.parse(word) : word;
}
