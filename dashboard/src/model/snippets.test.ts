import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { asPython, python, quoted } from "./snippets";

it("writes values as Python reads them", () => {
  const value = { a: null, b: [true, false, 1.5], "it's": 'say "hi"\n', long: Array.from({ length: 40 }, (_, n) => n) };
  const read = execFileSync("python3", ["-c", `import json; print(json.dumps(${python(value)}))`], {
    encoding: "utf8",
  });
  expect(JSON.parse(read)).toEqual(value);
});

it("quotes words so that a shell passes them on as they are", () => {
  for (const word of ["plain", "it's", '$HOME `x` "y"', "a b\nc", "", "*"]) {
    expect(execFileSync("sh", ["-c", `printf %s ${quoted(word)}`], { encoding: "utf8" })).toBe(word);
  }
});

it("writes a program that Python compiles", () => {
  const code = asPython({
    host: "http://h:1/x",
    name: 'a "b"',
    pipelineId: "p",
    versionId: "v",
    parameters: { n: 1, s: "'" },
    caching: false,
  });
  execFileSync("python3", ["-c", "import ast, sys; ast.parse(sys.argv[1])", code]);
  expect(code).toContain("enable_caching=False");
});
