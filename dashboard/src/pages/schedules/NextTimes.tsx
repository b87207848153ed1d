import { useNow } from "../../design/Moment";
import { Loading } from "../../design/Notice";
import { ago, instant } from "../../model/time";
import { clocks, dayAndTime, ownerWords, readerZone, timeBeside } from "../../model/zones";
import style from "./Schedules.module.css";
import { useScheduleZone } from "./zone";

/** Times that are to come, in the zone of schedules, in the browser's and in UTC. */
export function NextTimes({ times, isLoading }: { times: readonly string[]; isLoading: boolean }) {
  const now = useNow();
  const zone = useScheduleZone();
  if (isLoading) {
    return <Loading what="Counting" />;
  }
  if (times.length === 0) {
    return <p className="soft">It is not due any more.</p>;
  }
  const [first, ...others] = clocks(zone, readerZone());
  const all = first ? [first, ...others] : [];
  return (
    <table className={`list ${style.next}`} aria-label="Next times">
      <thead>
        <tr>
          {all.map((clock) => (
            <th key={clock.zone} scope="col">
              {clock.zone}
              <span className="soft small">{ownerWords(clock, zone !== undefined)}</span>
            </th>
          ))}
          <th scope="col">From now</th>
        </tr>
      </thead>
      <tbody>
        {times.map((time) => {
          const at = instant(time) ?? 0;
          return (
            <tr key={time}>
              {first && <td>{dayAndTime(at, first.zone, now)}</td>}
              {others.map((clock) => (
                <td key={clock.zone} className="soft">
                  {timeBeside(at, clock.zone, first?.zone ?? "UTC")}
                </td>
              ))}
              <td className="soft">{ago(at, now)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
