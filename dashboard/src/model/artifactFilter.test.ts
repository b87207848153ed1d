import { expect, it } from "vitest";
import { readArtifactFilter } from "./artifactFilter";

const read = (text: string) => readArtifactFilter(new URLSearchParams(text));

it("reads metadata as pairs, as keys alone and as JSON", () => {
  const metadata = (text: string) => read(`metadata=${encodeURIComponent(text)}`).asked.metadata;
  expect(metadata("framework=torch rate=0.5 best=true")).toBe('{"framework":"torch","rate":0.5,"best":true}');
  expect(metadata("rate")).toBe('{"rate":null}');
  expect(metadata('{"a": [1]}')).toBe('{"a":[1]}');
  expect(metadata("version=1.2.3")).toBe('{"version":"1.2.3"}');
});

it("says what is wrong", () => {
  expect(read("metadata=%7Bx").problem).toBeDefined();
  expect(read("metadata=%3Dx").problem).toBeDefined();
  expect(read("name=model&task=a%2Fb")).toEqual({ asked: { name: "model", task: "a/b" } });
});
