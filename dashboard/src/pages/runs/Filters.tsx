import { useCallback } from "react";
import { useExperimentNames } from "../../api/names";
import { useAddressQuery } from "../../app/query";
import { Button } from "../../design/Button";
import { Icon } from "../../design/Icon";
import { SearchField } from "../../design/SearchField";
import { isNarrow, type RunFilter, writeFilter } from "../../model/runFilter";
import { RUN_STATES, STANDING_WORDS, standingOf } from "../../model/state";
import style from "./RunList.module.css";

/** What narrows a list of runs; it stands in the address. */
export function Filters({
  filter,
  isOfExperiment,
  total,
  known,
  parameters,
  onParameters,
}: {
  filter: RunFilter;
  isOfExperiment: boolean;
  total: number;
  known: readonly string[];
  parameters: readonly string[];
  onParameters: (names: readonly string[]) => void;
}) {
  const [, setQuery] = useAddressQuery();
  const experiments = useExperimentNames([filter.experiment]);
  const change = (to: Partial<RunFilter>) => setQuery((query) => writeFilter(query, to), { replace: true });
  const rename = useCallback(
    (name: string) => setQuery((query) => writeFilter(query, { name }), { replace: true }),
    [setQuery],
  );
  const toggle = (state: string) => {
    const without = filter.states.filter((it) => it !== state);
    change({ states: without.length === filter.states.length ? [...filter.states, state] : without });
  };
  return (
    <search className={style.bar}>
      <SearchField
        label="Part of the name"
        placeholder="Name contains"
        width="15rem"
        value={filter.name}
        onChange={rename}
      />
      <fieldset className={`${style.states} plain`} aria-label="States">
        {RUN_STATES.map((state) => (
          <button
            key={state}
            type="button"
            className={style.state}
            aria-pressed={filter.states.includes(state)}
            onClick={() => toggle(state)}
          >
            {STANDING_WORDS[standingOf(state)]}
          </button>
        ))}
      </fieldset>
      <span className={style.dates}>
        <input
          type="date"
          className="input"
          aria-label="Created since"
          value={filter.since}
          onChange={(event) => change({ since: event.target.value })}
        />
        –
        <input
          type="date"
          className="input"
          aria-label="Created until"
          value={filter.until}
          onChange={(event) => change({ until: event.target.value })}
        />
      </span>
      {!isOfExperiment && filter.experiment !== "" && (
        <span className="chip">
          Experiment: {experiments.get(filter.experiment) ?? filter.experiment.slice(0, 8)}
          <Button kind="quiet" icon="close" label="Of any experiment" onClick={() => change({ experiment: "" })} />
        </span>
      )}
      <label className={style.dates}>
        <input
          type="checkbox"
          checked={filter.isArchived}
          onChange={(event) => change({ isArchived: event.target.checked })}
        />
        Archived
      </label>
      {isNarrow(filter) && (
        <Button kind="quiet" onClick={() => change({ name: "", states: [], experiment: "", since: "", until: "" })}>
          Clear
        </Button>
      )}
      <span className={style.total} role="status">
        {total === 1 ? "1 run" : `${total.toLocaleString()} runs`}
      </span>
      <Columns known={known} parameters={parameters} onParameters={onParameters} />
    </search>
  );
}

function Columns({
  known,
  parameters,
  onParameters,
}: {
  known: readonly string[];
  parameters: readonly string[];
  onParameters: (names: readonly string[]) => void;
}) {
  const names = [...new Set([...parameters, ...known])];
  return (
    <details className={style.columns}>
      <summary>
        <Icon name="columns" />
        Columns
      </summary>
      <div>
        <strong>Parameters as columns</strong>
        {names.length === 0 && <span className="soft">The runs that are loaded have no parameters.</span>}
        {names.map((name) => (
          <label key={name}>
            <input
              type="checkbox"
              checked={parameters.includes(name)}
              onChange={(event) =>
                onParameters(event.target.checked ? [...parameters, name] : parameters.filter((it) => it !== name))
              }
            />
            <span className="ellipsis">{name}</span>
          </label>
        ))}
      </div>
    </details>
  );
}
