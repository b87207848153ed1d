import type { Json } from "../api/kfp";

/** Whether runs take results from the cache, as a run or a schedule says it. */
export function cachingOf(said: { plugins_input?: Record<string, Json> } | undefined): "" | "on" | "off" {
  const plugin = said?.plugins_input?.penstock;
  const word =
    typeof plugin === "object" && plugin !== null && !Array.isArray(plugin) ? plugin.enable_caching : undefined;
  return word === true ? "on" : word === false ? "off" : "";
}

/** What is said to plugins, with that said of results from the cache; what else there is stays. */
export function withCaching(
  before: Record<string, Json> | undefined,
  caching: ReturnType<typeof cachingOf>,
): Record<string, Json> {
  const { penstock, ...others } = before ?? {};
  const isObject = typeof penstock === "object" && penstock !== null && !Array.isArray(penstock);
  const { enable_caching: _, ...rest } = isObject ? penstock : {};
  const own = caching === "" ? rest : { ...rest, enable_caching: caching === "on" };
  return Object.keys(own).length === 0 ? others : { ...others, penstock: own };
}
