import { type KeyboardEvent, useId } from "react";
import style from "./Tabs.module.css";

export interface Tab<Name extends string> {
  name: Name;
  label: string;
  count?: number;
}

/** Chooses among views of one thing. Arrow keys move between them. */
export function Tabs<Name extends string>({
  label,
  tabs,
  chosen,
  onChoose,
  panel,
}: {
  label: string;
  tabs: readonly Tab<Name>[];
  chosen: Name;
  onChoose: (name: Name) => void;
  /** Id of the element that shows the view. */
  panel: string;
}) {
  const id = useId();
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) {
      return;
    }
    event.preventDefault();
    const at = tabs.findIndex((tab) => tab.name === chosen);
    const next = tabs[(at + step + tabs.length) % tabs.length];
    if (next) {
      onChoose(next.name);
      document.getElementById(`${id}-${next.name}`)?.focus();
    }
  };
  return (
    <div role="tablist" aria-label={label} className={style.tabs} onKeyDown={move}>
      {tabs.map((tab) => (
        <button
          key={tab.name}
          id={`${id}-${tab.name}`}
          type="button"
          role="tab"
          className={style.tab}
          aria-selected={tab.name === chosen}
          aria-controls={panel}
          tabIndex={tab.name === chosen ? 0 : -1}
          onClick={() => onChoose(tab.name)}
        >
          {tab.label}
          {tab.count !== undefined && <span className={style.count}>{tab.count}</span>}
        </button>
      ))}
    </div>
  );
}
