import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { TreeNode } from "../../../api/penstock";
import { retryFrom } from "../../../api/runs";
import { to } from "../../../app/routes";
import { Button } from "../../../design/Button";
import button from "../../../design/Button.module.css";
import { Confirm } from "../../../design/Confirm";
import { Copy } from "../../../design/Copy";
import { Icon } from "../../../design/Icon";
import { isFinal, standingOf } from "../../../model/state";
import { useRunView } from "../view";
import style from "./Panel.module.css";
import { labelOf } from "./TaskLink";
import { againFrom } from "./why";

/** What can be done with a task. */
export function Actions({ node, onClose }: { node: TreeNode; onClose: () => void }) {
  const { runId, present } = useRunView();
  const [isAsking, setAsking] = useState(false);
  const address = to.task(runId, node.path);
  const mayRetry = isFinal(standingOf(present.status)) && node.kind !== "ROOT" && node.kind !== "ITERATION";
  return (
    <div className={style.actions}>
      {mayRetry && (
        <Button kind="quiet" icon="retry" onClick={() => setAsking(true)}>
          Retry from here
        </Button>
      )}
      <Copy what="the address of the task" text={() => new URL(`#${address}`, document.baseURI).toString()} />
      <a
        className={button.button}
        data-kind="quiet"
        data-bare
        href={`#${address}`}
        target="_blank"
        rel="noreferrer"
        aria-label="Open in a new tab"
        title="Open in a new tab"
      >
        <Icon name="expand" />
      </a>
      <Button kind="quiet" icon="close" label="Close the task" onClick={onClose} />
      {isAsking && <RetryFrom node={node} onClose={() => setAsking(false)} />}
    </div>
  );
}

const SHOWN = 12;

function RetryFrom({ node, onClose }: { node: TreeNode; onClose: () => void }) {
  const { runId, present } = useRunView();
  const client = useQueryClient();
  const again = againFrom(node, present.nodes);
  const retry = async () => {
    await retryFrom(runId, node.path);
    await Promise.all([
      client.invalidateQueries({ queryKey: ["tree", runId] }),
      client.invalidateQueries({ queryKey: ["run", runId] }),
    ]);
  };
  return (
    <Confirm title={`Retry from ${labelOf(node)}?`} action="Retry" danger={false} perform={retry} onClose={onClose}>
      <div className={style.asked}>
        <p>
          The run goes on. These run again, though they may have succeeded, and so does whatever failed or was stopped;
          everything else keeps its result.
        </p>
        <ul className={style.links}>
          {again.slice(0, SHOWN).map((it) => (
            <li key={it.node}>{it.kind === "LOOP" ? `${it.path}, with its iterations` : it.path}</li>
          ))}
          {again.length === 0 && <li>{node.path}, and what depends on it</li>}
          {again.length > SHOWN && <li className="soft">and {again.length - SHOWN} more</li>}
        </ul>
        {node.kind === "CONTAINER" && <p className="soft">{labelOf(node)} itself is not taken from the cache.</p>}
      </div>
    </Confirm>
  );
}
