import { Button } from "../../../design/Button";
import { Icon } from "../../../design/Icon";
import { Failed } from "../../../design/Notice";
import { StatusMark } from "../../../design/StatusMark";
import { spanOf } from "../../../model/instant";
import { isFinal, standingOf } from "../../../model/state";
import { duration, local } from "../../../model/time";
import type { Past as PastOfRun } from "../past";
import { useRunView } from "../view";
import style from "./frame.module.css";

/** Says that it is not now that is shown, and leads back. */
export default function Past({ past }: { past: PastOfRun }) {
  const { present, instant = 0, setInstant } = useRunView();
  const now = isFinal(standingOf(present.status)) ? "the end" : "now";
  const back = <Button onClick={() => setInstant(undefined)}>Back to {now}</Button>;
  if (past.error && !past.tree) {
    return (
      <div className={style.failed}>
        <Failed what="The run cannot be shown as it was" error={past.error} onRetry={past.retry} />
        {back}
      </div>
    );
  }
  const after = instant - (spanOf(present.nodes)?.from ?? instant);
  const words = `${local(instant)}, ${duration(after)} after the start`;
  return (
    <div className={style.past} role="note" aria-label="The past is shown">
      <Icon name="schedules" size={18} />
      {past.tree ? (
        <span className={style.words}>
          <strong>The past is shown:</strong> the run as it was at {words}
        </span>
      ) : (
        <span className={style.words}>Reading how the run was at {words}…</span>
      )}
      {past.tree && <StatusMark standing={standingOf(past.tree.status)} />}
      {back}
    </div>
  );
}
