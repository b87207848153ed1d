import type { PipelineSpec } from "../../api/penstock";
import { Arguments } from "../../design/Arguments";
import { Button } from "../../design/Button";
import { Copy } from "../../design/Copy";
import { Empty } from "../../design/Notice";
import { type Origin, type Planned, plannedTask, shownName } from "../../model/plannedTask";
import style from "./TaskCard.module.css";

/** What a pipeline says of the task that is chosen in its graph. */
export function TaskCard({
  spec,
  path,
  onSelect,
}: {
  spec: PipelineSpec;
  path: string;
  /** Chooses another task, or none. */
  onSelect: (path: string | undefined) => void;
}) {
  const task = plannedTask(spec, path);
  return (
    <aside className={style.card} aria-label={`Task ${path}`}>
      <header className={style.head}>
        <div className={style.titles}>
          <h2 className="ellipsis">{task?.name ?? path}</h2>
          {task && path !== task.name && <div className="soft small">{path}</div>}
        </div>
        <Button kind="quiet" icon="close" label="Close the task" onClick={() => onSelect(undefined)} />
      </header>
      {task ? (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys
        <section className={style.body} tabIndex={0} aria-label="What the pipeline says of it">
          <Facts task={task} onSelect={onSelect} />
          <Inputs task={task} onSelect={onSelect} />
          <Outputs task={task} />
          <Command command={task.command} />
        </section>
      ) : (
        <Empty title="This version has no such task" />
      )}
    </aside>
  );
}

type Part = { task: Planned; onSelect: (path: string) => void };

function Facts({ task, onSelect }: Part) {
  const { component, image, imported, isCached, retries, conditions, after, isAlways } = task;
  const facts: [string, React.ReactNode][] = [
    ["Component", component && <span className="mono">{component}</span>],
    [
      "Image",
      image && (
        <span className={style.image}>
          <span className="mono">{image}</span>
          <Copy what="the image" text={image} />
        </span>
      ),
    ],
    ["Imports", imported && <span className="mono">{imported}</span>],
    [
      "Runs if",
      conditions.length > 0 &&
        conditions.map((condition) => (
          <div key={condition} className="mono">
            {condition}
          </div>
        )),
    ],
    ["Runs after", after.length > 0 && after.map((it) => <From key={it.words} origin={it} onSelect={onSelect} />)],
    ["Runs always", isAlways && "also where what it waits for failed"],
    ["Cache", isCached !== undefined && (isCached ? "may take its results from there" : "runs anew each time")],
    ["Retries", retries ?? (image && "none")],
  ];
  return (
    <dl className="definitions">
      {facts.map(
        ([name, value]) =>
          value && (
            <div key={name} className={style.fact}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

function From({ origin: { words, path }, onSelect }: { origin: Origin; onSelect: (path: string) => void }) {
  return path === undefined ? (
    <span>{words}</span>
  ) : (
    <button type="button" className={style.from} onClick={() => onSelect(path)}>
      {words}
    </button>
  );
}

function Inputs({ task: { inputs }, onSelect }: Part) {
  return (
    inputs.length > 0 && (
      <section className={style.part}>
        <h3>Inputs</h3>
        <table className="list" aria-label="Inputs">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Type</th>
              <th scope="col">From</th>
            </tr>
          </thead>
          <tbody>
            {inputs.map(({ name, type, origin }) => (
              <tr key={name}>
                <td className="mono">{shownName(name)}</td>
                <td>{type}</td>
                <td>
                  <From origin={origin} onSelect={onSelect} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    )
  );
}

function Outputs({ task: { outputs } }: { task: Planned }) {
  return (
    outputs.length > 0 && (
      <section className={style.part}>
        <h3>Outputs</h3>
        <table className="list" aria-label="Outputs">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Type</th>
            </tr>
          </thead>
          <tbody>
            {outputs.map(({ name, type }) => (
              <tr key={name}>
                <td className="mono">{shownName(name)}</td>
                <td>{type}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    )
  );
}

function Command({ command }: { command: readonly string[] }) {
  return (
    command.length > 0 && (
      <section className={style.part}>
        <h3>Command</h3>
        <Arguments command={command} />
      </section>
    )
  );
}
