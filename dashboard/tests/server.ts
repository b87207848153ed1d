/**
 * The real server for all tests: `penstock up` with the page that is built into it, on a directory of its own or on the one
 * that PENSTOCK_TEST_DATA_DIR names.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const START_MS = 30_000;
const END_MS = 20_000;

export default async function start(): Promise<() => Promise<void>> {
  const program = process.env.PENSTOCK_TEST_PROGRAM;
  if (!program) {
    throw new Error("PENSTOCK_TEST_PROGRAM must name the program; `make test-dashboard` sets it");
  }
  const given = process.env.PENSTOCK_TEST_DATA_DIR;
  const directory = given ?? mkdtempSync(join(tmpdir(), "penstock-dashboard-"));
  const server = spawn(program, ["up", "--data-dir", directory, "--listen", "127.0.0.1:0"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, PENSTOCK_PYTHON: process.env.PENSTOCK_TEST_PYTHON ?? "" },
  });
  process.env.PENSTOCK_URL = `${await address(server)}/`;
  return async () => {
    await end(server);
    if (given === undefined) {
      rmSync(directory, { recursive: true, force: true });
    }
  };
}

/** Where it says that it is up. */
function address(server: ChildProcess): Promise<string> {
  return new Promise((found, failed) => {
    let said = "";
    const timer = setTimeout(() => failed(new Error(`the server did not say where it is; it said: ${said}`)), START_MS);
    server.stdout?.on("data", (text: Buffer) => {
      said += text.toString();
      const match = said.match(/is up at (http:\/\/\S+)/);
      if (match?.[1]) {
        clearTimeout(timer);
        found(match[1]);
      }
    });
    server.once("error", failed);
    server.once("exit", (code) => failed(new Error(`the server ended with ${code}: ${said}`)));
  });
}

function end(server: ChildProcess): Promise<void> {
  return new Promise((ended) => {
    const timer = setTimeout(() => server.kill("SIGKILL"), END_MS);
    server.removeAllListeners("exit");
    server.once("exit", () => {
      clearTimeout(timer);
      ended();
    });
    server.kill("SIGTERM");
  });
}
