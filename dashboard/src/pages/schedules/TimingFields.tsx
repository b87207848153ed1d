import { useQuery } from "@tanstack/react-query";
import { previewQuery } from "../../api/schedules";
import { Field } from "../../design/Field";
import { Failed } from "../../design/Notice";
import { cronWords } from "../../model/cron";
import { type Timing, triggerOf, UNITS } from "../../model/schedule";
import { FiveFields } from "./FiveFields";
import { NextTimes } from "./NextTimes";
import style from "./Schedules.module.css";
import { useScheduleZone } from "./zone";

const KINDS: readonly [Timing["kind"], string][] = [
  ["cron", "By a cron expression"],
  ["interval", "By an interval"],
  ["once", "Once, now"],
];

const EXAMPLES: readonly [string, string][] = [
  ["0 0 9 * * 1-5", "Working days at 9"],
  ["0 0 2 * * *", "Every night at 2"],
  ["0 0 * * * *", "Every hour"],
  ["0 0 6 1 * *", "First of the month"],
];

/** When a schedule fires, and a look at its first times. */
export function TimingFields({ timing, onChange }: { timing: Timing; onChange: (change: Partial<Timing>) => void }) {
  const read = triggerOf(timing);
  const reason = "reason" in read ? read.reason : undefined;
  const trigger = "trigger" in read ? read.trigger : {};
  const zone = useScheduleZone();
  const words = cronWords(timing.cron);
  const preview = useQuery({ ...previewQuery(trigger), enabled: "trigger" in read && timing.kind !== "once" });
  return (
    <>
      <fieldset className={`plain ${style.kinds}`}>
        <legend className="visually-hidden">Kind</legend>
        {KINDS.map(([kind, label]) => (
          <label key={kind}>
            <input type="radio" name="kind" checked={timing.kind === kind} onChange={() => onChange({ kind })} />{" "}
            {label}
          </label>
        ))}
      </fieldset>
      {timing.kind === "cron" && (
        <>
          <Field
            label="Cron expression"
            required
            hint={
              <>
                second minute hour day-of-month month day-of-week{zone && `, by the clock of ${zone}`}
                {words !== timing.cron && ` · ${words}`}
                <span className={style.examples}>
                  {EXAMPLES.map(([cron, words]) => (
                    <button key={cron} type="button" className="chip" onClick={() => onChange({ cron })}>
                      {words}
                    </button>
                  ))}
                </span>
              </>
            }
            error={preview.isError ? preview.error.message : timing.cron.trim() === "" ? reason : undefined}
          >
            {(ids) => (
              <input
                {...ids}
                className="input mono"
                spellCheck={false}
                value={timing.cron}
                onChange={(event) => onChange({ cron: event.target.value })}
              />
            )}
          </Field>
          <FiveFields cron={timing.cron} onChange={(cron) => onChange({ cron })} />
        </>
      )}
      {timing.kind === "interval" && (
        <Field label="Every" required>
          {(ids) => (
            <div className={style.inline}>
              <input
                {...ids}
                className="input"
                inputMode="numeric"
                value={timing.count}
                onChange={(event) => onChange({ count: event.target.value })}
              />
              <select
                className="input"
                aria-label="Unit"
                value={timing.unit}
                onChange={(event) => onChange({ unit: Number(event.target.value) })}
              >
                {!UNITS.some(([size]) => size === timing.unit) && <option value={timing.unit}>seconds</option>}
                {UNITS.map(([size, words]) => (
                  <option key={size} value={size}>
                    {words}
                  </option>
                ))}
              </select>
            </div>
          )}
        </Field>
      )}
      {timing.kind !== "once" && (
        <>
          <div className={style.pair}>
            {(["start", "end"] as const).map((name) => (
              <Field key={name} label={name === "start" ? "Not before" : "Not after"} hint="By your own clock.">
                {(ids) => (
                  <input
                    {...ids}
                    className="input"
                    type="datetime-local"
                    value={timing[name]}
                    onChange={(event) => onChange({ [name]: event.target.value })}
                  />
                )}
              </Field>
            ))}
          </div>
          {"reason" in read ? (
            <p role="alert">{read.reason}</p>
          ) : preview.isError && timing.kind !== "cron" ? (
            <Failed what="The times cannot be told" error={preview.error} />
          ) : (
            !preview.isError && <NextTimes times={preview.data?.next_times ?? []} isLoading={preview.isPending} />
          )}
        </>
      )}
    </>
  );
}
