import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { archiveExperiment, deleteExperiment, experimentQuery, unarchiveExperiment } from "../../api/experiments";
import { useAddressWords } from "../../app/query";
import { to } from "../../app/routes";
import { Button } from "../../design/Button";
import { Confirm } from "../../design/Confirm";
import { LinkButton } from "../../design/LinkButton";
import { Failed, Notice } from "../../design/Notice";
import { Page } from "../../design/Page";
import { Tabs } from "../../design/Tabs";
import { RunList } from "../runs/RunList";
import { ScheduleList } from "../schedules/ScheduleList";
import style from "./Experiments.module.css";

type Asked = "archive" | "restore" | "delete";

const ACTIONS: Record<Asked, { action: string; says: string; perform: (id: string) => Promise<unknown> }> = {
  archive: {
    action: "Archive",
    says: "Its runs are archived with it, and what recurs in it is switched off.",
    perform: archiveExperiment,
  },
  restore: {
    action: "Restore",
    says: "It is in the list again. Its runs stay archived until they are restored themselves.",
    perform: unarchiveExperiment,
  },
  delete: {
    action: "Delete",
    says: "The experiment is gone for good. Its runs are not deleted.",
    perform: deleteExperiment,
  },
};

const VIEWS = [
  { name: "runs", label: "Runs" },
  { name: "schedules", label: "Schedules" },
] as const;

export default function Experiment() {
  const { experimentId = "" } = useParams();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [asked, setAsked] = useState<Asked>();
  const [query, put] = useAddressWords();
  const view = VIEWS.find((it) => it.name === query.get("tab"))?.name ?? "runs";
  const experiment = useQuery(experimentQuery(experimentId));
  const isArchived = experiment.data?.storage_state === "ARCHIVED";
  const name = experiment.data?.display_name ?? "Experiment";
  const action = asked && ACTIONS[asked];
  return (
    <Page
      title={name}
      crumbs={[{ name: "Experiments", to: to.experiments }]}
      wide
      actions={
        experiment.data && (
          <>
            <Button icon="archive" onClick={() => setAsked(isArchived ? "restore" : "archive")}>
              {isArchived ? "Restore" : "Archive"}
            </Button>
            <Button icon="trash" label="Delete the experiment" kind="quiet" onClick={() => setAsked("delete")} />
            <LinkButton
              to={view === "runs" ? to.newRun({ experimentId }) : to.newSchedule({ experimentId })}
              icon="plus"
              kind="primary"
            >
              {view === "runs" ? "New run" : "New schedule"}
            </LinkButton>
          </>
        )
      }
    >
      {experiment.isError ? (
        <Failed
          what="The experiment cannot be read"
          error={experiment.error}
          onRetry={() => void experiment.refetch()}
        />
      ) : (
        <>
          {experiment.data?.description && <p className="soft">{experiment.data.description}</p>}
          {isArchived && <Notice kind="info" title="This experiment is archived." />}
          <Tabs
            label="What is in it"
            tabs={VIEWS}
            chosen={view}
            onChoose={(tab) => put({ tab })}
            panel="of-experiment"
          />
          <div id="of-experiment" role="tabpanel" aria-label={view} className={style.panel}>
            {view === "runs" ? <RunList experimentId={experimentId} /> : <ScheduleList experimentId={experimentId} />}
          </div>
        </>
      )}
      {action && (
        <Confirm
          title={`${action.action} ${name}?`}
          action={action.action}
          danger={asked === "delete"}
          perform={async () => {
            await action.perform(experimentId);
            await client.invalidateQueries();
            if (asked === "delete") {
              void navigate(to.experiments);
            }
          }}
          onClose={() => setAsked(undefined)}
        >
          {action.says}
        </Confirm>
      )}
    </Page>
  );
}
