import { useState } from "react";
import { Card } from "../../design/Page";
import { TextField } from "../../design/TextField";
import { CachingField } from "./CachingField";
import type { Draft, Typed } from "./draft";
import { ExperimentField } from "./ExperimentField";
import style from "./NewRun.module.css";

/** What a run is called, where it belongs, and how it is carried out. */
export function Settings({
  draft,
  defaultName,
  mustChoose,
  isMissing,
  onType,
  onExperiment,
}: {
  draft: Draft;
  defaultName: string;
  /** Whether there is no experiment for runs that name none. */
  mustChoose: boolean;
  /** Whether one was not chosen that had to be. */
  isMissing: boolean;
  onType: (change: Partial<Typed>) => void;
  onExperiment: (id: string) => void;
}) {
  const [isOpen] = useState(draft.pipelineRoot !== "" || draft.serviceAccount !== "");
  return (
    <Card title="The run">
      <div className={style.part}>
        <TextField label="Name" value={draft.name} placeholder={defaultName} onChange={(name) => onType({ name })} />
        <TextField label="Description" value={draft.description} onChange={(description) => onType({ description })} />
        <ExperimentField
          chosen={draft.experimentId}
          required={mustChoose}
          error={isMissing ? "Where there are many namespaces, a run belongs to an experiment of one" : undefined}
          onChoose={onExperiment}
        />
        <CachingField value={draft.caching} onChange={(caching) => onType({ caching })} />
        <details open={isOpen}>
          <summary>More settings</summary>
          <div className={style.part}>
            <TextField
              label="Pipeline root"
              hint="Where artifacts are stored, such as s3://bucket/prefix."
              value={draft.pipelineRoot}
              onChange={(pipelineRoot) => onType({ pipelineRoot })}
            />
            <TextField
              label="Service account"
              hint="Of Kubernetes, under which the tasks run."
              value={draft.serviceAccount}
              onChange={(serviceAccount) => onType({ serviceAccount })}
            />
          </div>
        </details>
      </div>
    </Card>
  );
}
