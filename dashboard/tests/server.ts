/**
 * The real server for all tests: `penstock up` with the page that is built into it, on a directory of its own or on the one
 * that PENSTOCK_TEST_DATA_DIR names.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { up } from "./program";

export default async function start(): Promise<() => Promise<void>> {
  const given = process.env.PENSTOCK_TEST_DATA_DIR;
  const directory = given ?? mkdtempSync(join(tmpdir(), "penstock-dashboard-"));
  const server = await up(directory);
  process.env.PENSTOCK_URL = server.url;
  return async () => {
    await server.stop();
    if (given === undefined) {
      rmSync(directory, { recursive: true, force: true });
    }
  };
}
