import { useNow } from "../../design/Moment";
import { Loading } from "../../design/Notice";
import { ago, instant, local, utc } from "../../model/time";
import style from "./Schedules.module.css";

/** Times that are to come, in the browser's zone and in UTC. */
export function NextTimes({ times, isLoading }: { times: readonly string[]; isLoading: boolean }) {
  const now = useNow();
  if (isLoading) {
    return <Loading what="Counting" />;
  }
  if (times.length === 0) {
    return <p className="soft">It is not due any more.</p>;
  }
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <table className="list" aria-label="Next times">
      <thead>
        <tr>
          <th scope="col">{zone}</th>
          <th scope="col">UTC</th>
          <th scope="col" className="visually-hidden">
            From now
          </th>
        </tr>
      </thead>
      <tbody>
        {times.map((time) => {
          const at = instant(time) ?? 0;
          return (
            <tr key={time} className={style.number}>
              <td>{local(at)}</td>
              <td className="soft">{utc(at).slice(0, 16)}</td>
              <td className="soft small">{ago(at, now)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
