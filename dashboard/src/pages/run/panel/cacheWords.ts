/** What differs between two cache keys, in words. */
import type { Json } from "../../../api/kfp";
import type { CacheDifference } from "../../../api/tasks";

/** What a field of a key is called. */
export function fieldWords(field: string): string {
  const [first = "", second = "", ...rest] = field.split(".");
  const inner = rest.length > 0 ? `, ${rest.join(".")}` : "";
  switch (first) {
    case "inputParameterValues":
      return `input ${second}${inner}`;
    case "inputArtifactNames":
      return `input artifact ${second}`;
    case "outputParametersSpec":
      return `definition of output ${second}`;
    case "outputArtifactsSpec":
      return `definition of output artifact ${second}`;
    case "cacheKey":
      return "the author's own cache key";
    case "containerSpec":
      return { image: "image", cmdArgs: "command or code", env: "environment variables" }[second] ?? field;
    default:
      return field;
  }
}

const LONGEST = 60;

/** `input rows: 20, now 77`. Of what is long it says alone that it differs. */
export function differenceWords({ field, then, now }: CacheDifference): string {
  const [was, is] = [valueWords(then), valueWords(now)];
  const isTold = was !== undefined && is !== undefined && !field.startsWith("inputArtifactNames");
  return isTold ? `${fieldWords(field)}: ${was}, now ${is}` : `another ${fieldWords(field)}`;
}

function valueWords(value: Json | undefined): string | undefined {
  if (value === undefined) {
    return "absent";
  }
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > LONGEST || text.includes("\n") ? undefined : text;
}
