import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { ask } from "./http";
import type { System } from "./penstock";

/** What is served, by what, and how it stands; in multi-user mode it is also told whether a namespace may be looked at. */
export const systemQuery = (namespace: string) =>
  queryOptions({
    queryKey: ["system", namespace],
    queryFn: ({ signal }) => ask<System>("apis/penstock/v1/system", { query: { namespace }, signal }),
    // Of another namespace nearly all is the same.
    placeholderData: keepPreviousData,
    staleTime: 60_000,
    retry: 1,
  });
