import type { Link } from "../../../api/events";
import type { Run } from "../../../api/kfp";
import { StatusMark } from "../../../design/StatusMark";
import { isFinal, standingOf } from "../../../model/state";
import style from "./frame.module.css";

/** What a run is called and how it stands. */
export function Heading({ run, status, link }: { run: Run; status: string | undefined; link: Link }) {
  const standing = standingOf(status);
  return (
    <span className={style.heading}>
      <span className={style.name}>{run.display_name}</span>
      <span className={style.standing} role="status">
        <StatusMark standing={standing} />
      </span>
      {run.storage_state === "ARCHIVED" && <span className="chip">Archived</span>}
      {!isFinal(standing) && link === "lost" && <span className="chip">Not connected: what is shown may be old</span>}
    </span>
  );
}
