import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Run } from "../../api/kfp";
import { archiveRun, deleteRun, retryRun, terminateRun, unarchiveRun } from "../../api/runs";
import { to } from "../../app/routes";
import { Button } from "../../design/Button";
import { Confirm } from "../../design/Confirm";
import type { IconName } from "../../design/Icon";
import { LinkButton } from "../../design/LinkButton";
import { isFinal, standingOfRun } from "../../model/state";
import { eachOf } from "./eachOf";
import style from "./RunList.module.css";

interface Action {
  name: string;
  icon: IconName;
  danger: boolean;
  says: string;
  applies: (run: Run) => boolean;
  perform: (id: string) => Promise<unknown>;
}

const isUnderWay = (run: Run) => !isFinal(standingOfRun(run));

const ACTIONS: readonly Action[] = [
  {
    name: "Stop",
    icon: "stop",
    danger: true,
    says: "What runs in them is ended now. Tasks that have finished keep their outputs.",
    applies: isUnderWay,
    perform: terminateRun,
  },
  {
    name: "Retry",
    icon: "retry",
    danger: false,
    says: "Their failed and stopped tasks run again; what succeeded stays.",
    applies: (run) => ["failed", "canceled"].includes(standingOfRun(run)) && run.storage_state !== "ARCHIVED",
    perform: retryRun,
  },
  {
    name: "Archive",
    icon: "archive",
    danger: false,
    says: "They leave the list, and can be taken back from the archive.",
    applies: (run) => run.storage_state !== "ARCHIVED",
    perform: archiveRun,
  },
  {
    name: "Restore",
    icon: "archive",
    danger: false,
    says: "They are in the list of runs again.",
    applies: (run) => run.storage_state === "ARCHIVED",
    perform: unarchiveRun,
  },
  {
    name: "Delete",
    icon: "trash",
    danger: true,
    says: "They and their records are gone for good; those under way are stopped first. Artifacts stay in the store.",
    applies: () => true,
    perform: deleteRun,
  },
];

const MOST_COMPARED = 50;

/** What can be done with the runs that are chosen. */
export function Chosen({ runs, onDone }: { runs: readonly Run[]; onDone: () => void }) {
  const client = useQueryClient();
  const [asked, setAsked] = useState<Action>();
  const concerned = asked ? runs.filter(asked.applies) : [];
  const perform = async () => {
    try {
      await eachOf(
        concerned.map((run) => run.run_id),
        (id) => asked?.perform(id) ?? Promise.resolve(),
      );
      onDone();
    } finally {
      await client.invalidateQueries({ queryKey: ["runs"] });
    }
  };
  return (
    <section className={style.chosen} aria-label="Chosen runs">
      <strong>{runs.length === 1 ? "1 run" : `${runs.length} runs`} chosen</strong>
      {runs.length >= 2 && runs.length <= MOST_COMPARED && (
        <LinkButton to={to.compare(runs.map((run) => run.run_id))} icon="compare">
          Compare
        </LinkButton>
      )}
      {ACTIONS.filter((action) => runs.some(action.applies)).map((action) => (
        <Button
          key={action.name}
          icon={action.icon}
          kind={action.danger ? "danger" : "plain"}
          onClick={() => setAsked(action)}
        >
          {action.name}
        </Button>
      ))}
      <Button kind="quiet" icon="close" label="Choose none" onClick={onDone} />
      {asked && (
        <Confirm
          title={`${asked.name} ${concerned.length === 1 ? "1 run" : `${concerned.length} runs`}?`}
          action={asked.name}
          danger={asked.danger}
          perform={perform}
          onClose={() => setAsked(undefined)}
        >
          <p>{asked.says}</p>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys */}
          <ul className={style.names} tabIndex={0} aria-label="Runs that are meant">
            {concerned.map((run) => (
              <li key={run.run_id} className="ellipsis">
                {run.display_name}
              </li>
            ))}
          </ul>
          {concerned.length < runs.length && <p className="soft">The other chosen ones are left as they are.</p>}
        </Confirm>
      )}
    </section>
  );
}
