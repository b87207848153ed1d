import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { logUrl } from "../../../api/tasks";
import { Button } from "../../../design/Button";
import button from "../../../design/Button.module.css";
import { Copy } from "../../../design/Copy";
import { Icon } from "../../../design/Icon";
import { useNow } from "../../../design/Moment";
import { Empty, Loading, Notice } from "../../../design/Notice";
import { bytes } from "../../../model/bytes";
import { Lines } from "./Lines";
import style from "./Log.module.css";
import { COPIED, type Standing } from "./protocol";
import type { Sought } from "./Row";
import { SearchBar } from "./SearchBar";
import { type LogHold, useLog } from "./useLog";

interface Props {
  runId: string;
  taskPath: string;
  attempt: number;
  /** The attempt is under way. */
  live: boolean;
  /** Begin with the end, where the reason of a failure is. */
  atEnd?: boolean;
}

/** What an attempt printed: as it comes, and afterwards. */
export function Log({ runId, taskPath, attempt, live, atEnd = false }: Props) {
  const follow = logUrl(runId, taskPath, attempt, true);
  const whole = logUrl(runId, taskPath, attempt, false);
  return (
    <View
      key={whole}
      follow={follow}
      whole={whole}
      live={live}
      atEnd={atEnd}
      name={`${taskPath.replaceAll(/[^\w.-]+/g, "-")}-${attempt}.log`}
      label={`Log of ${taskPath}, attempt ${attempt + 1}`}
    />
  );
}

interface ViewProps {
  follow: string;
  whole: string;
  live: boolean;
  atEnd: boolean;
  name: string;
  label: string;
}

const WRAP = "penstock.log.wrap";

function View({ follow, whole, live, atEnd, name, label }: ViewProps) {
  const log = useLog(follow, whole, live);
  const [isFollowing, setFollowing] = useState(live || atEnd);
  const [isWrapped, setWrapped] = useState(() => localStorage.getItem(WRAP) === "on");
  const [isFull, setFull] = useState(false);
  const [sought, setSought] = useState<Sought>();
  const [goal, setGoal] = useState<{ line: number; place: number }>();
  const top = useRef(0);
  const search = useRef<HTMLInputElement>(null);

  const { words, exact } = sought ?? { words: "", exact: false };
  const { search: begin } = log;
  useEffect(() => {
    begin(words, exact);
    setGoal(undefined);
  }, [words, exact, begin]);

  const seek = async (step: 1 | -1) => {
    const found = await log.seek(goal?.line ?? top.current - (step === 1 ? 1 : 0), step);
    if (found) {
      setFollowing(false);
      setGoal(found);
    }
  };
  const wrap = (wrapped: boolean) => {
    setWrapped(wrapped);
    localStorage.setItem(WRAP, wrapped ? "on" : "off");
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.key === "Escape" && isFull) {
      event.stopPropagation();
      setFull(false);
    }
    if ((event.key === "f" && (event.ctrlKey || event.metaKey)) || (event.key === "/" && !isInput(event.target))) {
      event.preventDefault();
      event.stopPropagation();
      search.current?.focus();
      search.current?.select();
    }
  };
  const { standing, end, first } = log.grown;
  const isEmpty = end === first;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: shortcuts of what is within it
    <div className={style.log} data-full={isFull || undefined} onKeyDown={pressed}>
      <div className={style.bar}>
        <SearchBar
          input={search}
          sought={sought}
          found={log.found?.words === sought?.words ? log.found : undefined}
          place={goal?.place}
          onSearch={setSought}
          onSeek={(step) => void seek(step)}
        />
        <Tools
          {...{ log, live, whole, name, isFollowing, isWrapped, isFull }}
          onFollow={setFollowing}
          onWrap={wrap}
          onFull={setFull}
        />
      </div>
      <Troubles standing={standing} first={first} />
      {isEmpty ? (
        <Nothing standing={standing} />
      ) : (
        <Lines
          log={log}
          label={label}
          isWrapped={isWrapped}
          isFollowing={isFollowing}
          onFollow={setFollowing}
          sought={sought}
          goal={goal}
          top={top}
        />
      )}
      <Foot log={log} live={live} />
    </div>
  );
}

interface ToolsProps extends Pick<ViewProps, "live" | "whole" | "name"> {
  log: LogHold;
  isFollowing: boolean;
  isWrapped: boolean;
  isFull: boolean;
  onFollow: (following: boolean) => void;
  onWrap: (wrapped: boolean) => void;
  onFull: (full: boolean) => void;
}

function Tools({ log, live, whole, name, isFollowing, isWrapped, isFull, onFollow, onWrap, onFull }: ToolsProps) {
  return (
    <div className={style.tools}>
      {live && <Toggle name="Follow" icon="down" on={isFollowing} onToggle={onFollow} />}
      <Toggle name="Wrap" icon="wrap" on={isWrapped} onToggle={onWrap} />
      <Copy what="the log" words="Copy" text={() => copied(log)} />
      <a className={button.button} data-kind="quiet" href={whole} download={name}>
        <Icon name="download" />
        Download
      </a>
      <Button
        kind="quiet"
        icon={isFull ? "close" : "expand"}
        label={isFull ? "Back to the page" : "Fill the window"}
        onClick={() => onFull(!isFull)}
      />
    </div>
  );
}

const isInput = (target: EventTarget) => target instanceof HTMLInputElement;

async function copied(log: LogHold): Promise<string> {
  const text = await log.text();
  if (text === undefined) {
    throw new Error(`it is longer than ${bytes(COPIED)}; download it`);
  }
  return text;
}

function Toggle({
  name,
  icon,
  on,
  onToggle,
}: {
  name: string;
  icon: "down" | "wrap";
  on: boolean;
  onToggle: (on: boolean) => void;
}) {
  return (
    <button
      type="button"
      className={`${button.button} ${style.toggle}`}
      data-kind="quiet"
      aria-pressed={on}
      onClick={() => onToggle(!on)}
    >
      <Icon name={icon} />
      {name}
    </button>
  );
}

/** What stands in the way of seeing all of it. */
function Troubles({ standing, first }: { standing: Standing; first: number }) {
  return (
    <>
      {standing.at === "lost" && <Lost reason={standing.reason} again={standing.again} />}
      {first > 0 && (
        <Notice kind="warning" title={`The first ${first.toLocaleString("en")} lines are not shown`}>
          <p>The log is longer than a browser should hold. Download it to have all of it.</p>
        </Notice>
      )}
    </>
  );
}

function Lost({ reason, again }: { reason: string; again: number }) {
  const seconds = Math.max(0, Math.ceil((again - useNow()) / 1000));
  return (
    <Notice kind="warning" title="The connection was lost">
      <p>
        {reason} {seconds > 0 ? `Trying again in ${seconds} s.` : "Trying again."}
      </p>
    </Notice>
  );
}

/** Why there are no lines. */
function Nothing({ standing }: { standing: Standing }) {
  switch (standing.at) {
    case "waiting":
      return (
        <Empty title="Nothing was printed yet">
          <p>{standing.reason}</p>
        </Empty>
      );
    case "none":
      return (
        <Empty title="There is no log">
          <p>{standing.reason}</p>
        </Empty>
      );
    case "refused":
      return (
        <Notice kind="error" title="The log could not be read">
          <p>{standing.reason}</p>
        </Notice>
      );
    case "ended":
      return (
        <Empty title="The log is empty">
          <p>The attempt printed nothing.</p>
        </Empty>
      );
    default:
      return <Loading what="Reading the log" lines={5} />;
  }
}

function Foot({ log, live }: { log: LogHold; live: boolean }) {
  const { standing, end, bytes: size } = log.grown;
  return (
    <div className={style.foot}>
      <span className="number">{end === 1 ? "1 line" : `${end.toLocaleString("en")} lines`}</span>
      <span className="number">{bytes(size)}</span>
      {live && standing.at === "reading" && (
        <span className={style.live}>
          <Icon name="running" size={12} />
          Live
        </span>
      )}
      {!live && standing.at === "reading" && <span>Reading…</span>}
    </div>
  );
}
