import { type ReactNode, useCallback } from "react";
import { useAddressQuery } from "../../app/query";
import { Button } from "../../design/Button";
import { SearchField } from "../../design/SearchField";
import { isNarrow, NOTHING, type RunFilter, writeFilter } from "../../model/runFilter";
import type { ValueName } from "../../model/runValues";
import { RUN_STATES, STANDING_WORDS, standingOf } from "../../model/state";
import { AddFilter } from "./AddFilter";
import { Conditions } from "./Conditions";
import style from "./RunList.module.css";

/** What narrows a list of runs; it stands in the address. */
export function Filters({
  filter,
  isOfExperiment,
  total,
  known,
  children,
}: {
  filter: RunFilter;
  isOfExperiment: boolean;
  total: string;
  /** Names of values that can be compared. */
  known: readonly ValueName[];
  children: ReactNode;
}) {
  const [, setQuery] = useAddressQuery();
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
      <label className={style.dates}>
        <input
          type="checkbox"
          checked={filter.isArchived}
          onChange={(event) => change({ isArchived: event.target.checked })}
        />
        Archived
      </label>
      <AddFilter filter={filter} isOfExperiment={isOfExperiment} known={known} onChange={change} />
      <Conditions filter={filter} isOfExperiment={isOfExperiment} onChange={change} />
      {isNarrow(filter) && (
        <Button kind="quiet" onClick={() => change(NOTHING)}>
          Clear
        </Button>
      )}
      <span className={style.total} role="status">
        {total}
      </span>
      {children}
    </search>
  );
}
