import { defineConfig } from "vitest/config";

// `npx vite` serves the sources and asks a server that is up for data.
const server = process.env.PENSTOCK_SERVER ?? "http://127.0.0.1:8888";

export default defineConfig({
  // Pages may lie below any path.
  base: "./",
  esbuild: { jsx: "automatic" },
  resolve: {
    alias: {
      // The graph's library brings what older versions of React lack; ours has it.
      "use-sync-external-store/shim/with-selector.js": "use-sync-external-store/with-selector.js",
    },
  },
  build: {
    target: "es2023",
    // A script or image within a page's text is what the policy of the pages forbids.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // One sheet, with the page: a part whose own sheet did not arrive would be no page at all.
    cssCodeSplit: false,
    chunkSizeWarningLimit: 700,
    rollupOptions: {
      onwarn(warning, warn) {
        // Meant for servers that render pages; there is none.
        if (warning.code !== "MODULE_LEVEL_DIRECTIVE") {
          warn(warning);
        }
      },
    },
  },
  worker: { format: "es" },
  // The server takes changes from pages of its own origin alone.
  server: { proxy: { "/apis": { target: server, changeOrigin: true, headers: { origin: server } } } },
  test: { include: ["src/**/*.test.ts", "src/**/*.test.tsx"] },
});
