import { defineConfig } from "@playwright/test";

export default defineConfig({
  // Tests, figures (`bench`) or pictures (`screenshots`).
  testDir: process.env.PENSTOCK_PART ?? "tests",
  globalSetup: "./tests/server.ts",
  // One server for all; tests do not look at each other's runs.
  workers: 2,
  fullyParallel: true,
  forbidOnly: true,
  // What is waited for comes in a second or two; a machine that does other things as well may take many times as long.
  timeout: 240_000,
  expect: { timeout: 45_000 },
  reporter: [["list"]],
  outputDir: "test-results",
  use: {
    browserName: "chromium",
    viewport: { width: 1440, height: 900 },
    locale: "en-GB",
    timezoneId: "Europe/Berlin",
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: process.env.PENSTOCK_TEST_CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
      ],
    },
  },
});
