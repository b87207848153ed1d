import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { asCommand, asCurl, asPython, type Described, python, quoted } from "./snippets";

const WHOLE: Described = {
  host: "http://h:1/x",
  name: 'it\'s "it" $HOME `x`',
  description: "one\ntwo\n)",
  experimentId: "e",
  source: { pipelineId: "p", versionId: "v" },
  parameters: { n: 1, s: "it's", list: [1, null] },
  pipelineRoot: "s3://bucket/a b",
  serviceAccount: "trainer",
  caching: false,
};

const compiles = (code: string) =>
  execFileSync("python3", ["-c", "import ast, sys; ast.parse(sys.argv[1])", code], { stdio: "pipe" });

it("writes values as Python reads them", () => {
  const value = { a: null, b: [true, false, 1.5], "it's": 'say "hi"\n', long: Array.from({ length: 40 }, (_, n) => n) };
  const read = execFileSync("python3", ["-c", `import json; print(json.dumps(${python(value)}))`], {
    encoding: "utf8",
  });
  expect(JSON.parse(read)).toEqual(value);
});

it("writes signs that turn the order of text around by number", () => {
  expect(python("a\u202eb\u2066")).toBe('"a\\u202eb\\u2066"');
});

it("quotes words so that a shell passes them on as they are", () => {
  for (const word of ["plain", "it's", '$HOME `x` "y"', "a b\nc", "", "*"]) {
    expect(execFileSync("sh", ["-c", `printf %s ${quoted(word)}`], { encoding: "utf8" })).toBe(word);
  }
});

it("writes programs that Python compiles, with all that was chosen", () => {
  const code = asPython(WHOLE);
  compiles(code);
  for (const part of ['"one\\ntwo\\n)"', '"enable_caching": False', "s3://bucket/a b", '"trainer"', '"e"', '"v"']) {
    expect(code).toContain(part);
  }
  const { description: _, caching: __, ...plain } = WHOLE;
  const short = asPython(plain);
  compiles(short);
  expect(short).toContain("client.run_pipeline(");
  expect(short).toContain('pipeline_root="s3://bucket/a b"');
  expect(short).toContain('service_account="trainer"');
  compiles(asPython({ ...plain, source: { runId: "r" }, experimentId: undefined, namespace: "team-a" }));
});

it("names the namespace where the server has many", () => {
  const { experimentId: _, ...run } = { ...WHOLE, namespace: "team-a" };
  const code = asPython(run);
  expect(code).toContain('Client(host="http://h:1/x", namespace="team-a")');
  expect(code).toContain('get_experiment(experiment_name="Default", namespace="team-a")');
  expect(asCurl("http://h", {}, true)).toContain("Bearer $PENSTOCK_TOKEN");
  expect(asCommand(run)).toMatch(/^# .*namespaces/);
});

it("writes a command whose words arrive as they are, and says in comments what it cannot say", () => {
  const code = asCommand(WHOLE);
  const stand = 'curl() { :; }; python3() { cat; }; penstock() { printf "%s\\n" "$@"; };';
  const words = execFileSync("sh", ["-c", `${stand}\n${code}`], { encoding: "utf8" })
    .trimEnd()
    .split("\n");
  expect(words).toEqual([
    "run",
    "--server=http://h:1/x",
    '--name=it\'s "it" $HOME `x`',
    "--param=n=1",
    "--param=s=it's",
    "--param=list=[1,null]",
    "--root=s3://bucket/a b",
    "--service-account=trainer",
    "--no-cache",
    "/dev/stdin",
  ]);
  expect(code).toContain('# No flag says the description: "one\\ntwo\\n)"');
  expect(code).toContain("# No flag says the experiment");
  const other = asCommand({ ...WHOLE, caching: true, pipelineRoot: "below" });
  expect(other).toContain("# No flag has results taken from the cache");
  expect(other).toContain("# --root at a server takes a URI");
});
