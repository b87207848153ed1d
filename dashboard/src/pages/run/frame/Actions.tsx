import { useQuery } from "@tanstack/react-query";
import { Suspense, useState } from "react";
import type { Run } from "../../../api/kfp";
import { archiveRun, retryRun, specQuery, unarchiveRun } from "../../../api/runs";
import { part } from "../../../app/part";
import { to } from "../../../app/routes";
import { Button } from "../../../design/Button";
import { LinkButton } from "../../../design/LinkButton";
import { isFinal, standingOf } from "../../../model/state";
import { useRefresh } from "../live";

const Asked = part(() => import("./Asked"));

/** What can be done with a run, as it stands. */
export function Actions({ run, status }: { run: Run; status: string | undefined }) {
  const [asked, setAsked] = useState<"stop" | "delete">();
  const [doing, setDoing] = useState<"store" | "retry">();
  const [refused, setRefused] = useState<Error>();
  const refresh = useRefresh(run.run_id);
  const standing = standingOf(status);
  const isArchived = run.storage_state === "ARCHIVED";
  // The library's way to change something comes with the windows: a run's page is there before them.
  const perform = (what: "store" | "retry", change: (runId: string) => Promise<unknown>) => {
    setDoing(what);
    void change(run.run_id)
      .then(refresh)
      .catch(setRefused)
      .finally(() => setDoing(undefined));
  };
  return (
    <>
      {!isFinal(standing) && (
        <Button icon="stop" disabled={standing === "canceling"} onClick={() => setAsked("stop")}>
          {standing === "canceling" ? "Stopping" : "Stop"}
        </Button>
      )}
      {(standing === "failed" || standing === "canceled") && (
        <Button icon="retry" busy={doing === "retry"} onClick={() => perform("retry", retryRun)}>
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
            busy={doing === "store"}
            onClick={() => perform("store", isArchived ? unarchiveRun : archiveRun)}
          />
          <Button icon="trash" label="Delete" onClick={() => setAsked("delete")} />
        </>
      )}
      {(asked || refused) && (
        <Suspense>
          <Asked
            run={run}
            what={refused ?? asked}
            onClose={() => {
              setAsked(undefined);
              setRefused(undefined);
            }}
            onStopped={refresh}
          />
        </Suspense>
      )}
    </>
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
