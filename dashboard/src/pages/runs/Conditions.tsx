import { useQuery } from "@tanstack/react-query";
import { useExperimentNames } from "../../api/names";
import { pipelineQuery, versionQuery } from "../../api/pipelines";
import { Button } from "../../design/Button";
import type { RunFilter } from "../../model/runFilter";
import { conditionWords, writeCondition } from "../../model/runValues";
import style from "./RunList.module.css";

/** The conditions of a list that have no control of their own, to look at and to take away. */
export function Conditions({
  filter,
  isOfExperiment,
  onChange,
}: {
  filter: RunFilter;
  isOfExperiment: boolean;
  onChange: (change: Partial<RunFilter>) => void;
}) {
  const experiments = useExperimentNames([filter.experiment]);
  const pipeline = useQuery({ ...pipelineQuery(filter.pipeline), retry: false });
  const version = useQuery({ ...versionQuery(filter.pipeline, filter.version), retry: false });
  const { experiment, conditions } = filter;
  return (
    <>
      {!isOfExperiment && experiment !== "" && (
        <Chip
          words={`Experiment: ${experiments.get(experiment) ?? experiment.slice(0, 8)}`}
          removal="Of any experiment"
          onRemove={() => onChange({ experiment: "" })}
        />
      )}
      {filter.pipeline !== "" && (
        <Chip
          words={`Pipeline: ${pipeline.data?.display_name ?? filter.pipeline.slice(0, 8)}`}
          removal="Of any pipeline"
          onRemove={() => onChange({ pipeline: "", version: "" })}
        />
      )}
      {filter.version !== "" && (
        <Chip
          words={`Version: ${version.data?.display_name ?? filter.version.slice(0, 8)}`}
          removal="Of any version"
          onRemove={() => onChange({ version: "" })}
        />
      )}
      {conditions.map((condition) => (
        <Chip
          key={writeCondition(condition)}
          words={conditionWords(condition)}
          removal={`Without ${conditionWords(condition)}`}
          onRemove={() => onChange({ conditions: conditions.filter((it) => it !== condition) })}
        />
      ))}
    </>
  );
}

function Chip({ words, removal, onRemove }: { words: string; removal: string; onRemove: () => void }) {
  return (
    <span className={`chip ${style.condition}`}>
      <span className="ellipsis" title={words}>
        {words}
      </span>
      <Button kind="quiet" icon="close" label={removal} onClick={onRemove} />
    </span>
  );
}
