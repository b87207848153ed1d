/** Where pages are: KFP's own addresses wherever it has one, so that links of its SDK and of people land. */
export const to = {
  home: "/",
  runs: "/runs",
  runsOf: (query: Record<string, string | undefined>) => withQuery("/runs", query),
  run: (id: string) => `/runs/details/${encodeURIComponent(id)}`,
  task: (id: string, path: string) => `/runs/details/${encodeURIComponent(id)}?task=${encodeURIComponent(path)}`,
  newRun: (query: Record<string, string | undefined> = {}) => withQuery("/runs/new", query),
  compare: (ids: readonly string[]) => withQuery("/compare", { runlist: ids.join(",") }),
  pipelines: "/pipelines",
  pipeline: (id: string) => `/pipelines/details/${encodeURIComponent(id)}`,
  version: (id: string, version: string) =>
    `/pipelines/details/${encodeURIComponent(id)}/version/${encodeURIComponent(version)}`,
  experiments: "/experiments",
  experiment: (id: string) => `/experiments/details/${encodeURIComponent(id)}`,
  schedules: "/recurringruns",
  schedule: (id: string) => `/recurringrun/details/${encodeURIComponent(id)}`,
  newSchedule: (query: Record<string, string | undefined> = {}) => withQuery("/recurringruns/new", query),
  artifacts: "/artifacts",
  artifact: (id: string) => `/artifacts/${encodeURIComponent(id)}`,
  system: "/system",
} as const;

/** Pages whose address does not begin with that of the list to which they belong. */
const ELSEWHERE: Record<string, string> = { "/recurringrun": to.schedules, "/compare": to.runs };

/** Whether the page of a path is one of the places of the side bar, or belongs to it. */
export function isBelow(path: string, place: string): boolean {
  const first = `/${path.split("/")[1] ?? ""}`;
  return (ELSEWHERE[first] ?? first) === place;
}

function withQuery(path: string, query: Record<string, string | undefined>): string {
  const set = Object.entries(query).filter((entry): entry is [string, string] => !!entry[1]);
  return set.length === 0 ? path : `${path}?${new URLSearchParams(set)}`;
}
