/**
 * Begins to load the parts that an address of a run shows together with the page itself, and not one after the other. What
 * does not arrive is asked for again when it is to be drawn.
 */
export function loadAhead(hash: string): void {
  const at = hash.indexOf("?");
  const query = new URLSearchParams(at === -1 ? "" : hash.slice(at + 1));
  const parts = [
    viewOf(query.get("view")),
    ...(query.has("task") ? [() => import("./panel/TaskPanel")] : []),
    ...(query.has("at") ? [() => import("./frame/Past")] : []),
  ];
  for (const load of parts) {
    void load?.().catch(() => undefined);
  }
}

function viewOf(word: string | null): (() => Promise<unknown>) | undefined {
  switch (word) {
    case "timeline":
      return () => import("./timeline/Timeline");
    case "table":
      return () => import("./table/TaskTable");
    case "details":
      return undefined;
    default:
      return () => import("./graph/Graph");
  }
}
