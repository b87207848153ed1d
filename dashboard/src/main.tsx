import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { HashRouter } from "react-router";
import { ApiError } from "./api/http";
import { App } from "./app/App";
import { Live } from "./app/live";
import { applyTheme } from "./app/theme";
import "./design/tokens.css";
import "./design/base.css";
import "./design/controls.css";

applyTheme();

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // The stream of changes says what is old.
      staleTime: 10_000,
      retry: (failures, error) => failures < 3 && error instanceof ApiError && error.isPassing,
    },
  },
});

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <HashRouter>
          <Live>
            <App />
          </Live>
        </HashRouter>
      </QueryClientProvider>
    </StrictMode>,
  );
}
