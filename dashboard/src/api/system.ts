import { queryOptions } from "@tanstack/react-query";
import { ask } from "./http";
import type { System } from "./penstock";

/** What is served, by what, and how it stands. */
export const systemQuery = queryOptions({
  queryKey: ["system"],
  queryFn: ({ signal }) => ask<System>("apis/penstock/v1/system", { signal }),
  staleTime: 60_000,
  retry: 1,
});
