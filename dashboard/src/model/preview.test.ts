import { describe, expect, it } from "vitest";
import type { Artifact } from "../api/penstock";
import { imageType, kindOfArtifact, kindOfBytes, kindOfName, parseCsv, tableOf } from "./preview";
import { areaUnder, confusionOf, curveOf, scalarsOf, slicesOf } from "./previewMetrics";

const encode = (text: string) => new TextEncoder().encode(text);
const artifact = (more: Partial<Artifact>): Artifact => ({
  ...{ artifact_id: "a", name: "a", type: "system.Artifact", uri: "s3://b/r/a", digest: "sha256:x" },
  ...more,
});

describe("how an artifact is shown", () => {
  it("follows its type, then its name", () => {
    expect(kindOfArtifact(artifact({ type: "system.HTML" }))).toBe("html");
    expect(kindOfArtifact(artifact({ type: "system.Metrics", metadata: { a: 1 } }))).toBe("metrics");
    // Metrics that are a file and say nothing beside it are a file.
    expect(kindOfArtifact(artifact({ type: "system.Metrics", uri: "s3://b/metrics.json" }))).toBe("json");
    expect(kindOfArtifact(artifact({ directory: true }))).toBe("directory");
    expect(kindOfName("s3://b/plot.PNG")).toBe("image");
    expect(kindOfName("s3://b.csv/model")).toBe("unknown");
  });

  it("follows its bytes where no name tells", () => {
    expect(kindOfBytes(new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d]))).toBe("image");
    expect(kindOfBytes(encode("PAR1xxxx"))).toBe("table");
    expect(kindOfBytes(encode('{"a": [1, 2]}'))).toBe("json");
    expect(kindOfBytes(encode('{"a": 1}\n{"a": 2}\n'))).toBe("table");
    expect(kindOfBytes(encode("a,b\n1,2\n3,4\n"))).toBe("table");
    expect(kindOfBytes(encode("Hello, world.\nAll is well.\n"))).toBe("text");
    expect(kindOfBytes(new Uint8Array([0, 1, 2]))).toBe("binary");
    expect(kindOfBytes(new Uint8Array())).toBe("text");
    expect(imageType(encode('<?xml version="1.0"?>\n<svg xmlns="x">'))).toBe("image/svg+xml");
    expect(imageType(encode("<html><svg>"))).toBeUndefined();
  });
});

describe("tables", () => {
  it("have cells with separators, quotes and ends of lines in them", () => {
    expect(parseCsv('a,"b, ""c""\nd"\r\n1,\n', ",", 10)).toEqual([
      ["a", 'b, "c"\nd'],
      ["1", ""],
    ]);
    expect(tableOf("a\tb\n1\t2\n3\t", false, 10)).toEqual({ columns: ["a", "b"], rows: [["1", "2"]] });
    expect(tableOf('{"a":1}\n{"b":[2]}\n', true, 10)).toEqual({
      columns: ["a", "b"],
      rows: [
        [1, null],
        [null, [2]],
      ],
    });
    expect(tableOf("{not json\n", true, 10)).toBeUndefined();
  });
});

describe("metrics", () => {
  it("are read as KFP writes them", () => {
    const entry = (threshold: number, rate: number, recall: number) => ({
      ...{ confidenceThreshold: threshold, falsePositiveRate: rate, recall },
    });
    const curve = curveOf({ confidenceMetrics: [entry(0.25, 1, 1), entry(1, 0, 0), entry(0.5, 0.5, 0.75)] });
    expect(curve.map((point) => point.x)).toEqual([0, 0.5, 1]);
    expect(areaUnder(curve)).toBeCloseTo(0.625);
    const matrix = {
      annotationSpecs: [{ displayName: "cat" }, { displayName: "dog" }],
      rows: [{ row: [3, 1] }, { row: [0, 4] }],
    };
    expect(confusionOf({ confusionMatrix: matrix })).toEqual({
      names: ["cat", "dog"],
      rows: [
        [3, 1],
        [0, 4],
      ],
    });
    const slices = slicesOf({
      evaluationSlices: [{ slice: "a", sliceClassificationMetrics: { confusionMatrix: matrix } }],
    });
    expect(slices[0]?.name).toBe("a");
    expect(confusionOf(slices[0]?.metadata)?.names).toEqual(["cat", "dog"]);
    expect(scalarsOf({ accuracy: 1, display_name: "m" })).toEqual([["accuracy", 1]]);
  });

  it("may be anything", () => {
    for (const odd of [
      undefined,
      {},
      { confidenceMetrics: 3, confusionMatrix: [] },
      { confusionMatrix: { rows: [null] } },
    ]) {
      expect(curveOf(odd as never)).toEqual([]);
      expect(confusionOf(odd as never)).toBeUndefined();
      expect(slicesOf(odd as never)).toEqual([]);
    }
  });
});
