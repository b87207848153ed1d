import { Dialog } from "../design/Dialog";
import style from "./Keys.module.css";
import type { Shortcut } from "./keys";

/** Which keys there are. */
export default function Keys({ shortcuts, onClose }: { shortcuts: readonly Shortcut[]; onClose: () => void }) {
  const more: [string, string][] = [
    ["Ctrl K", "Search and commands"],
    ["j k", "Next and previous row of a list"],
    ["x", "Choose a row of a list, or not"],
    ["Enter", "Open what is chosen"],
    ["1 2 3 4", "Graph, timeline, table and details of a run"],
    ["← → ↑ ↓", "From task to task in a graph"],
    ["f", "Fit the graph"],
    ["e", "Open or close a group of a graph"],
    ["Esc", "Close what is open"],
  ];
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl className={style.keys}>
        {[...shortcuts.map((it) => [it.keys, it.label] as const), ...more].map(([keys, label]) => (
          <div key={keys}>
            <dt>
              {keys.split(" ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{label}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
