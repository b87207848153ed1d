import { type FormEvent, useId, useRef, useState } from "react";
import { Button } from "../../design/Button";
import { Field } from "../../design/Field";
import { Icon } from "../../design/Icon";
import type { RunFilter } from "../../model/runFilter";
import {
  MOST_CONDITIONS,
  OPERATORS,
  type Operator,
  problem,
  type ValueCondition,
  type ValueName,
  writeCondition,
} from "../../model/runValues";
import { ExperimentField } from "../new-run/ExperimentField";
import { type ChosenVersion, PipelineField } from "../new-run/PipelineField";
import style from "./RunList.module.css";

type Subject = "pipeline" | "experiment" | ValueCondition["kind"];

const SUBJECTS: readonly { subject: Subject; label: string }[] = [
  { subject: "parameters", label: "Parameter" },
  { subject: "metrics", label: "Metric" },
  { subject: "tags", label: "Tag" },
  { subject: "pipeline", label: "Pipeline" },
  { subject: "experiment", label: "Experiment" },
];

/** Adds a condition to those of a list. */
export function AddFilter({
  filter,
  isOfExperiment,
  known,
  onChange,
}: {
  filter: RunFilter;
  /** Whether the list is of one experiment anyway. */
  isOfExperiment: boolean;
  known: readonly ValueName[];
  onChange: (change: Partial<RunFilter>) => void;
}) {
  const root = useRef<HTMLDetailsElement>(null);
  const [subject, setSubject] = useState<Subject>("parameters");
  const close = () => {
    root.current?.removeAttribute("open");
    root.current?.querySelector("summary")?.focus();
  };
  const add = (condition: ValueCondition) => {
    const written = writeCondition(condition);
    const others = filter.conditions.filter((it) => writeCondition(it) !== written);
    onChange({ conditions: [...others, condition] });
    close();
  };
  return (
    <details
      ref={root}
      className={style.adding}
      onKeyDown={(event) => {
        if (event.key === "Escape") {
          close();
        }
      }}
    >
      <summary>
        <Icon name="plus" />
        Filter
      </summary>
      <div>
        <fieldset className={`${style.states} plain`} aria-label="Filter by">
          {SUBJECTS.filter((it) => !(isOfExperiment && it.subject === "experiment")).map((it) => (
            <button
              key={it.subject}
              type="button"
              className={style.state}
              aria-pressed={subject === it.subject}
              onClick={() => setSubject(it.subject)}
            >
              {it.label}
            </button>
          ))}
        </fieldset>
        {subject === "pipeline" ? (
          <OfPipeline filter={filter} onChange={onChange} />
        ) : subject === "experiment" ? (
          <ExperimentField
            chosen={filter.experiment}
            none="Any experiment"
            onChoose={(experiment) => {
              onChange({ experiment });
              close();
            }}
          />
        ) : filter.conditions.length >= MOST_CONDITIONS ? (
          <p className="soft">There are {MOST_CONDITIONS} conditions; take one away to add another.</p>
        ) : (
          <NewCondition key={subject} kind={subject} known={known} onAdd={add} />
        )}
      </div>
    </details>
  );
}

function OfPipeline({ filter, onChange }: { filter: RunFilter; onChange: (change: Partial<RunFilter>) => void }) {
  const choose = ({ pipelineId, versionId }: ChosenVersion) => onChange({ pipeline: pipelineId, version: versionId });
  return (
    <PipelineField
      chosen={{ pipelineId: filter.pipeline, versionId: filter.version }}
      any="Any version"
      onChoose={choose}
    />
  );
}

function NewCondition({
  kind,
  known,
  onAdd,
}: {
  kind: ValueCondition["kind"];
  known: readonly ValueName[];
  onAdd: (condition: ValueCondition) => void;
}) {
  const names = useId();
  const [name, setName] = useState("");
  const [operator, setOperator] = useState<Operator>(kind === "metrics" ? "<=" : "=");
  const [value, setValue] = useState("");
  const [isSent, setSent] = useState(false);
  const condition = { kind, name: name.trim(), operator, value: kind === "tags" ? value : value.trim() };
  const wrong = problem(condition);
  const send = (event: FormEvent) => {
    event.preventDefault();
    setSent(true);
    if (wrong === undefined) {
      onAdd(condition);
      setName("");
      setValue("");
      setSent(false);
    }
  };
  return (
    <form className={style.newCondition} data-kind={kind} onSubmit={send}>
      <Field label={kind === "tags" ? "Tag of the pipeline or version" : "Name"}>
        {(ids) => (
          <input
            {...ids}
            className="input"
            list={names}
            autoComplete="off"
            spellCheck={false}
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        )}
      </Field>
      <datalist id={names}>
        {known
          .filter((it) => it.kind === kind)
          .map((it) => (
            <option key={it.name} value={it.name} />
          ))}
      </datalist>
      {kind !== "tags" && (
        <Field label="Compared">
          {(ids) => (
            <select
              {...ids}
              className="input"
              value={operator}
              onChange={(event) => setOperator(event.target.value as Operator)}
            >
              {OPERATORS.map((it) => (
                <option key={it} value={it}>
                  {WORDS[it]}
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      <Field label="Value" error={isSent ? wrong : undefined}>
        {(ids) => (
          <input
            {...ids}
            className="input"
            autoComplete="off"
            spellCheck={false}
            value={value}
            onChange={(event) => setValue(event.target.value)}
          />
        )}
      </Field>
      <Button kind="primary" type="submit">
        Add
      </Button>
    </form>
  );
}

const WORDS: Record<Operator, string> = {
  "=": "=",
  "!=": "≠",
  "<": "<",
  "<=": "≤",
  ">": ">",
  ">=": "≥",
};
