import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import type { Run } from "../../../api/kfp";
import { archiveRun, deleteRun, retryRun, specQuery, terminateRun, unarchiveRun } from "../../../api/runs";
import { to } from "../../../app/routes";
import { Button } from "../../../design/Button";
import { Confirm } from "../../../design/Confirm";
import { Dialog } from "../../../design/Dialog";
import { LinkButton } from "../../../design/LinkButton";
import { Failed } from "../../../design/Notice";
import { isFinal, standingOf } from "../../../model/state";
import { useRefresh } from "../live";

/** What can be done with a run, as it stands. */
export function Actions({ run, status }: { run: Run; status: string | undefined }) {
  const [asked, setAsked] = useState<"stop" | "delete">();
  const refresh = useRefresh(run.run_id);
  const standing = standingOf(status);
  const isArchived = run.storage_state === "ARCHIVED";
  const store = useMutation({
    mutationFn: () => (isArchived ? unarchiveRun(run.run_id) : archiveRun(run.run_id)),
    onSuccess: refresh,
  });
  const retry = useMutation({ mutationFn: () => retryRun(run.run_id), onSuccess: refresh });
  const failure = store.error ?? retry.error;
  return (
    <>
      {!isFinal(standing) && (
        <Button icon="stop" disabled={standing === "canceling"} onClick={() => setAsked("stop")}>
          {standing === "canceling" ? "Stopping" : "Stop"}
        </Button>
      )}
      {(standing === "failed" || standing === "canceled") && (
        <Button icon="retry" busy={retry.isPending} onClick={() => retry.mutate()}>
          Retry failed tasks
        </Button>
      )}
      <LinkButton icon="clone" to={to.newRun({ cloneFromRun: run.run_id })}>
        Clone with changes
      </LinkButton>
      <Download run={run} />
      {isFinal(standing) && (
        <>
          <Button
            icon="archive"
            label={isArchived ? "Take out of the archive" : "Archive"}
            busy={store.isPending}
            onClick={() => store.mutate()}
          />
          <Button icon="trash" label="Delete" onClick={() => setAsked("delete")} />
        </>
      )}
      {asked === "stop" && <Stop run={run} onClose={() => setAsked(undefined)} onDone={refresh} />}
      {asked === "delete" && <Delete run={run} onClose={() => setAsked(undefined)} />}
      {failure && (
        <Dialog
          title="Not done"
          onClose={() => {
            store.reset();
            retry.reset();
          }}
        >
          <Failed what="The server refused" error={failure} />
        </Dialog>
      )}
    </>
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

function Download({ run }: { run: Run }) {
  const spec = useQuery(specQuery(run.run_id));
  const save = () => {
    const text = spec.data?.text ?? JSON.stringify(spec.data?.pipeline_spec, null, 2);
    const address = URL.createObjectURL(new Blob([text], { type: "application/yaml" }));
    const link = document.createElement("a");
    link.href = address;
    link.download = `${spec.data?.pipeline_spec.pipelineInfo?.name ?? run.run_id}.yaml`;
    link.click();
    URL.revokeObjectURL(address);
  };
  return <Button icon="download" label="Download the pipeline" disabled={!spec.data} onClick={save} />;
}
