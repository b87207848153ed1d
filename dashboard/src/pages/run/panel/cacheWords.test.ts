import { expect, test } from "vitest";
import type { Json } from "../../../api/kfp";
import { differenceWords } from "./cacheWords";

test.each<[string, Json | undefined, Json, string]>([
  ["inputParameterValues.rows", 20, 77, "input rows: 20, now 77"],
  ["inputParameterValues.losses.0", 1, 2, "input losses, 0: 1, now 2"],
  ["inputParameterValues.new", undefined, "x", "input new: absent, now x"],
  ["inputArtifactNames.data.artifactNames.0", "a", "b", "another input artifact data"],
  ["containerSpec.image", "i:1", "i:2", "image: i:1, now i:2"],
  ["containerSpec.cmdArgs.3", "def f():\n  1", "def f():\n  2", "another command or code"],
  ["containerSpec.platform", 1, 2, "containerSpec.platform: 1, now 2"],
])("a difference in %s is told in words", (field, before, now, words) => {
  const values = Object.fromEntries([["now", now], ...(before === undefined ? [] : [["then", before]])]);
  expect(differenceWords({ field, ...values })).toBe(words);
});
