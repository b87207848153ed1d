import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { filterText } from "../api/filter";
import { ask } from "../api/http";
import type { ExperimentPage, PipelinePage, RunPage } from "../api/kfp";
import { Icon, type IconName } from "../design/Icon";
import { STANDING_WORDS, standingOfRun } from "../model/state";
import { useNamespace } from "./namespace";
import style from "./Palette.module.css";
import { to } from "./routes";
import { setTheme } from "./theme";

interface Choice {
  id: string;
  icon: IconName;
  name: string;
  note?: string;
  perform: () => void;
}

const PAUSE_MS = 120;

/** Finds runs, pipelines, experiments and commands by some letters of their names. */
export default function Palette({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const id = useId();
  useEffect(() => {
    const element = dialog.current;
    if (element && !element.open) {
      element.showModal();
    }
    return () => element?.close();
  }, []);
  const choices = useChoices(text);
  const chosen = Math.min(at, choices.length - 1);
  const choose = (choice: Choice | undefined) => {
    if (choice) {
      dialog.current?.close();
      choice.perform();
    }
  };
  const answer = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && choices.length > 0) {
      event.preventDefault();
      setAt((chosen + step + choices.length) % choices.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      choose(choices[chosen]);
    }
  };
  return (
    <dialog ref={dialog} className={style.palette} aria-label="Search and commands" onClose={onClose}>
      <div className={style.ask}>
        <Icon name="search" />
        <input
          role="combobox"
          aria-label="Search and commands"
          aria-expanded="true"
          aria-controls={id}
          aria-activedescendant={choices[chosen] && `${id}-${choices[chosen].id}`}
          placeholder="Find a run, pipeline or experiment, or do something"
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            setAt(0);
          }}
          onKeyDown={answer}
        />
      </div>
      <div id={id} role="listbox" aria-label="Found" className={style.found}>
        {choices.map((choice, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the input above answers the keys
          <div
            key={choice.id}
            id={`${id}-${choice.id}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === chosen}
            className={style.choice}
            ref={(element) => {
              if (index === chosen) {
                element?.scrollIntoView({ block: "nearest" });
              }
            }}
            onClick={() => choose(choice)}
            onPointerMove={() => setAt(index)}
          >
            <Icon name={choice.icon} />
            <span className="ellipsis">{choice.name}</span>
            {choice.note && <span className="soft small">{choice.note}</span>}
          </div>
        ))}
      </div>
      {choices.length === 0 && <p className={style.nothing}>Nothing has these letters in its name.</p>}
    </dialog>
  );
}

function useChoices(text: string): Choice[] {
  const navigate = useNavigate();
  const namespace = useNamespace();
  const wanted = text.trim();
  const [settled, setSettled] = useState(wanted);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(wanted), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [wanted]);
  const found = useQuery({
    queryKey: ["palette", namespace, settled],
    queryFn: ({ signal }) => find(namespace, settled, signal),
    enabled: settled !== "",
    placeholderData: (before) => before,
  });
  const go = (place: string) => () => void navigate(place);
  const commands: Choice[] = [
    { id: "new-run", icon: "plus", name: "New run", perform: go(to.newRun()) },
    { id: "home", icon: "home", name: "Home", perform: go(to.home) },
    { id: "runs", icon: "runs", name: "Runs", perform: go(to.runs) },
    { id: "failed", icon: "failed", name: "Failed runs", perform: go(`${to.runs}?state=FAILED`) },
    { id: "pipelines", icon: "pipelines", name: "Pipelines", perform: go(to.pipelines) },
    { id: "upload", icon: "upload", name: "Upload a pipeline", perform: go(`${to.pipelines}?upload=1`) },
    { id: "experiments", icon: "experiments", name: "Experiments", perform: go(to.experiments) },
    { id: "schedules", icon: "schedules", name: "Schedules", perform: go(to.schedules) },
    { id: "new-schedule", icon: "schedules", name: "New schedule", perform: go(to.newSchedule()) },
    { id: "artifacts", icon: "artifacts", name: "Artifacts", perform: go(to.artifacts) },
    { id: "system", icon: "system", name: "System", perform: go(to.system) },
    { id: "light", icon: "sun", name: "Light theme", perform: () => setTheme("light") },
    { id: "dark", icon: "moon", name: "Dark theme", perform: () => setTheme("dark") },
    { id: "auto", icon: "system", name: "Theme of the system", perform: () => setTheme("system") },
  ];
  const words = wanted.toLowerCase();
  const fitting = commands.filter((it) => it.name.toLowerCase().includes(words));
  if (wanted === "") {
    return fitting;
  }
  const { runs = [], pipelines = [], experiments = [] } = found.data ?? {};
  return [
    ...runs.map((run) => ({
      id: run.run_id,
      icon: "runs" as const,
      name: run.display_name,
      note: `run · ${STANDING_WORDS[standingOfRun(run)]}`,
      perform: go(to.run(run.run_id)),
    })),
    ...pipelines.map((it) => ({
      id: it.pipeline_id,
      icon: "pipelines" as const,
      name: it.display_name,
      note: "pipeline",
      perform: go(to.pipeline(it.pipeline_id)),
    })),
    ...experiments.map((it) => ({
      id: it.experiment_id,
      icon: "experiments" as const,
      name: it.display_name,
      note: "experiment",
      perform: go(to.experiment(it.experiment_id)),
    })),
    ...fitting,
  ];
}

const MOST = 6;

async function find(namespace: string, text: string, signal: AbortSignal) {
  const named = (key: string) => ({
    namespace,
    page_size: MOST,
    sort_by: "created_at desc",
    filter: filterText([{ key, operation: "IS_SUBSTRING", string_value: text }]),
  });
  const [runs, pipelines, experiments] = await Promise.all([
    ask<RunPage>("apis/v2beta1/runs", { query: named("name"), signal }),
    ask<PipelinePage>("apis/v2beta1/pipelines", { query: named("display_name"), signal }),
    ask<ExperimentPage>("apis/v2beta1/experiments", { query: named("name"), signal }),
  ]);
  return { runs: runs.runs, pipelines: pipelines.pipelines, experiments: experiments.experiments };
}
