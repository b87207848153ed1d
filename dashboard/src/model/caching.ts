import type { Json } from "../api/kfp";

/** Whether runs take results from the cache, as a run or a schedule says it. */
export function cachingOf(said: { plugins_input?: Record<string, Json> } | undefined): "" | "on" | "off" {
  const plugin = said?.plugins_input?.penstock;
  const word =
    typeof plugin === "object" && plugin !== null && !Array.isArray(plugin) ? plugin.enable_caching : undefined;
  return word === true ? "on" : word === false ? "off" : "";
}
