/** The real server, as long as a test needs it. */
import { type ChildProcess, spawn } from "node:child_process";
import { createConnection } from "node:net";

const START_MS = 90_000;
const END_MS = 30_000;

export interface Program {
  /** Where it is, with a slash at its end. */
  url: string;
  /** Asks it to end, and waits for that. */
  stop: () => Promise<void>;
  /** Ends it with no chance to do anything about it. */
  kill: () => Promise<void>;
}

function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const program = process.env.PENSTOCK_TEST_PROGRAM;
  if (!program) {
    throw new Error("PENSTOCK_TEST_PROGRAM must name the program; `make test-dashboard` sets it");
  }
  return spawn(program, args, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, PENSTOCK_PYTHON: process.env.PENSTOCK_TEST_PYTHON ?? "", ...env },
  });
}

/** `penstock up` on a data directory, at a port of its own unless one is named. */
export async function up(directory: string, port = 0, args: readonly string[] = []): Promise<Program> {
  const server = start(["up", "--data-dir", directory, "--listen", `127.0.0.1:${port}`, ...args]);
  return { url: `${await address(server)}/`, ...ends(server) };
}

/** `penstock apiserver` at a port that was free a moment ago. */
export async function apiserver(args: readonly string[], port: number, env: Record<string, string>): Promise<Program> {
  const listen = ["--api-listen", `127.0.0.1:${port}`, "--admin-listen", "127.0.0.1:0"];
  const server = start(["apiserver", ...listen, ...args], env);
  server.stdout?.resume();
  const deadline = Date.now() + START_MS;
  while (!(await answers(port))) {
    if (server.exitCode !== null || Date.now() > deadline) {
      server.kill("SIGKILL");
      throw new Error("the server does not listen");
    }
    await new Promise((later) => setTimeout(later, 100));
  }
  return { url: `http://127.0.0.1:${port}/`, ...ends(server) };
}

function answers(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
    socket.once("connect", () => socket.destroy());
  });
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

function ends(server: ChildProcess): Pick<Program, "stop" | "kill"> {
  return { stop: () => end(server, "SIGTERM"), kill: () => end(server, "SIGKILL") };
}

function end(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  return new Promise((ended) => {
    server.removeAllListeners("exit");
    if (server.exitCode !== null || server.signalCode !== null) {
      ended();
      return;
    }
    const timer = setTimeout(() => server.kill("SIGKILL"), END_MS);
    server.once("exit", () => {
      clearTimeout(timer);
      ended();
    });
    server.kill(signal);
  });
}
