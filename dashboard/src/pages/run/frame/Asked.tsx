import { useNavigate } from "react-router";
import type { Run } from "../../../api/kfp";
import { deleteRun, terminateRun } from "../../../api/runs";
import { to } from "../../../app/routes";
import { Confirm } from "../../../design/Confirm";
import { Dialog } from "../../../design/Dialog";
import { Failed } from "../../../design/Notice";

/** The window about what somebody asked to be done with a run, or that was refused. */
export default function Asked({
  run,
  what,
  onClose,
  onStopped,
}: {
  run: Run;
  what: "stop" | "delete" | Error | undefined;
  onClose: () => void;
  onStopped: () => Promise<unknown>;
}) {
  if (what === "stop") {
    return <Stop run={run} onClose={onClose} onDone={onStopped} />;
  }
  if (what === "delete") {
    return <Delete run={run} onClose={onClose} />;
  }
  return (
    what && (
      <Dialog title="Not done" onClose={onClose}>
        <Failed what="The server refused" error={what} />
      </Dialog>
    )
  );
}

function Stop({ run, onClose, onDone }: { run: Run; onClose: () => void; onDone: () => Promise<unknown> }) {
  return (
    <Confirm
      title="Stop this run"
      action="Stop the run"
      perform={() => terminateRun(run.run_id).then(onDone)}
      onClose={onClose}
    >
      <p>Tasks of {run.display_name} that run are ended, and no more are begun. It can be retried later.</p>
    </Confirm>
  );
}

function Delete({ run, onClose }: { run: Run; onClose: () => void }) {
  const navigate = useNavigate();
  return (
    <Confirm
      title="Delete this run"
      action="Delete the run"
      perform={() => deleteRun(run.run_id).then(() => navigate(to.runs))}
      onClose={onClose}
    >
      <p>{run.display_name} and what is recorded of its tasks are deleted for good.</p>
    </Confirm>
  );
}
