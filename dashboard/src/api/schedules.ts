import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { filterText, type Predicate } from "./filter";
import { ask } from "./http";
import type { RecurringRun, RecurringRunPage, Run, Trigger } from "./kfp";

const path = (id: string) => `apis/v2beta1/recurringruns/${encodeURIComponent(id)}`;
const own = (id: string) => `apis/penstock/v1/recurringruns/${encodeURIComponent(id)}`;

export function schedulesQuery(
  namespace: string,
  predicates: readonly Predicate[] = [],
  experimentId?: string,
  sort = "created_at desc",
) {
  const query = {
    namespace,
    experiment_id: experimentId,
    sort_by: sort,
    page_size: 50,
    filter: filterText(predicates),
  };
  return infiniteQueryOptions({
    queryKey: ["schedules", query],
    queryFn: ({ pageParam, signal }) =>
      ask<RecurringRunPage>("apis/v2beta1/recurringruns", { query: { ...query, page_token: pageParam }, signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token || undefined,
  });
}

export function scheduleQuery(id: string) {
  return queryOptions({
    queryKey: ["schedules", id],
    queryFn: ({ signal }) => ask<RecurringRun>(path(id), { signal }),
    enabled: id !== "",
  });
}

export interface NextTimes {
  next_times?: string[];
  waiting_times?: string[];
}

export function nextTimesQuery(id: string, count = 5) {
  return queryOptions({
    queryKey: ["schedules", id, "next", count],
    queryFn: ({ signal }) => ask<NextTimes>(`${own(id)}/next`, { query: { count }, signal }),
  });
}

/** When a trigger would be due, before anything is made. */
export function previewQuery(trigger: Trigger, count = 5) {
  return queryOptions({
    queryKey: ["preview", trigger, count],
    queryFn: ({ signal }) =>
      ask<NextTimes>("apis/penstock/v1/recurringruns:preview", { method: "POST", body: { trigger, count }, signal }),
    retry: false,
  });
}

export type ScheduleChange = Partial<
  Pick<
    RecurringRun,
    | "display_name"
    | "description"
    | "trigger"
    | "max_concurrency"
    | "no_catchup"
    | "runtime_config"
    | "pipeline_spec"
    | "pipeline_version_reference"
    | "plugins_input"
  >
>;
export type NewSchedule = ScheduleChange & {
  display_name: string;
  trigger: Trigger;
  mode: "ENABLE" | "DISABLE";
  experiment_id?: string;
  service_account?: string;
};

export const createSchedule = (schedule: NewSchedule) =>
  ask<RecurringRun>("apis/v2beta1/recurringruns", { method: "POST", body: schedule });
export const editSchedule = (id: string, change: ScheduleChange) =>
  ask<RecurringRun>(own(id), { method: "PATCH", body: change });
export const enableSchedule = (id: string) => ask(`${path(id)}:enable`, { method: "POST" });
export const disableSchedule = (id: string) => ask(`${path(id)}:disable`, { method: "POST" });
export const deleteSchedule = (id: string) => ask(path(id), { method: "DELETE" });
export const runScheduleNow = (id: string) => ask<Run>(`${own(id)}:run`, { method: "POST" });
