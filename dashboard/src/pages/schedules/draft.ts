/** A schedule that is being written, and the request that comes of it. */
import type { Json, RecurringRun, Trigger } from "../../api/kfp";
import type { ScheduleChange } from "../../api/schedules";
import { cachingOf, withCaching } from "../../model/caching";
import { FIRST_TIMING, type Timing, timingOf } from "../../model/schedule";
import type { Caching } from "../new-run/CachingField";
import type { Picked } from "../new-run/draft";

/** What is typed; it is kept in the tab. */
export interface Typed extends Record<Exclude<keyof Timing, "kind">, string> {
  name: string;
  description: string;
  caching: Caching;
  concurrency: string;
  catchUp: "yes" | "no";
  kind: Timing["kind"];
}

export function firstTyped(existing: RecurringRun | undefined): Typed {
  const timing = existing ? timingOf(existing.trigger) : FIRST_TIMING;
  return {
    name: existing?.display_name ?? "",
    description: existing?.description ?? "",
    caching: cachingOf(existing),
    concurrency: existing?.max_concurrency ?? "1",
    catchUp: existing?.no_catchup ? "no" : "yes",
    ...timing,
    unit: String(timing.unit),
  };
}

const KINDS: readonly string[] = ["interval", "cron", "once"] satisfies Timing["kind"][];

/** When it fires, of what is typed. */
export function timingIn({ kind, count, unit, cron, start, end }: Typed): Timing {
  // What the tab kept may be of another version.
  return { kind: KINDS.includes(kind) ? kind : FIRST_TIMING.kind, count, unit: Number(unit), cron, start, end };
}

/** What a change of its timing is of what is typed. */
export function timed({ unit, ...change }: Partial<Timing>): Partial<Typed> {
  return { ...change, ...(unit !== undefined && { unit: String(unit) }) };
}

/** What the address says, else what the schedule has. An address that names a pipeline says all of it. */
export function pickedOf(existing: RecurringRun | undefined, query: URLSearchParams): Picked {
  const reference = existing?.pipeline_version_reference;
  return {
    experimentId: existing?.experiment_id ?? query.get("experimentId") ?? "",
    chosen: query.has("pipelineId")
      ? { pipelineId: query.get("pipelineId") ?? "", versionId: query.get("pipelineVersionId") ?? "" }
      : { pipelineId: reference?.pipeline_id ?? "", versionId: reference?.pipeline_version_id ?? "" },
  };
}

/** What the request for a new one and that for a change have in common. */
export function changeOf(
  typed: Typed,
  { chosen }: Picked,
  values: Record<string, Json>,
  trigger: Trigger,
  existing: RecurringRun | undefined,
): ScheduleChange & { display_name: string; trigger: Trigger } {
  return {
    display_name: typed.name.trim(),
    description: typed.description.trim(),
    max_concurrency: typed.concurrency,
    no_catchup: typed.catchUp === "no",
    runtime_config: { parameters: values },
    trigger,
    ...(existing?.pipeline_spec === undefined && {
      pipeline_version_reference: {
        pipeline_id: chosen.pipelineId,
        ...(chosen.versionId && { pipeline_version_id: chosen.versionId }),
      },
    }),
    ...(typed.caching !== cachingOf(existing) && {
      plugins_input: withCaching(existing?.plugins_input, typed.caching),
    }),
  };
}

/** What is missing before it can be stored, by its place in the form. */
export interface Missing {
  pipeline?: string;
  name?: string;
  experiment?: string;
}

/** What keeps it from being stored: where it is said, and all of it in words. */
export function missingOf({
  typed,
  picked,
  mustChoose,
  hasSpec,
  wrongParameters,
  timing,
}: {
  typed: Typed;
  picked: Picked;
  /** Whether there is no experiment for those that name none. */
  mustChoose: boolean;
  /** Whether the pipeline is known by now. */
  hasSpec: boolean;
  wrongParameters: number;
  /** What is wrong with when it fires. */
  timing: string | undefined;
}): { missing: Missing; words: string } {
  const missing: Missing = {
    ...(!hasSpec && {
      pipeline: picked.chosen.pipelineId === "" ? "Choose a pipeline" : "It has no version that could be read",
    }),
    ...(typed.name.trim() === "" && { name: "A name is needed" }),
    ...(mustChoose &&
      picked.experimentId === "" && {
        experiment: "Where there are many namespaces, a schedule belongs to an experiment of one",
      }),
  };
  const what = [
    missing.pipeline && "a pipeline",
    wrongParameters > 0 && (wrongParameters === 1 ? "a parameter" : `${wrongParameters} parameters`),
    timing && "when it runs",
    missing.name && "a name",
    missing.experiment && "an experiment",
  ].filter(Boolean);
  return { missing, words: what.length === 0 ? "" : `Not complete yet: ${what.join(", ")}.` };
}
