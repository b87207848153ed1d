import { type KeyboardEvent, type RefObject, useEffect, useRef, useState } from "react";
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
  const address = (follow: boolean, timestamps: boolean) => logUrl(runId, taskPath, attempt, follow, timestamps);
  return (
    <View
      key={address(false, false)}
      address={address}
      live={live}
      atEnd={atEnd}
      name={`${taskPath.replaceAll(/[^\w.-]+/g, "-")}-${attempt}.log`}
      label={`Log of ${taskPath}, attempt ${attempt + 1}`}
    />
  );
}

interface ViewProps {
  address: (follow: boolean, timestamps: boolean) => string;
  live: boolean;
  atEnd: boolean;
  name: string;
  label: string;
}

function View({ address, live, atEnd, name, label }: ViewProps) {
  const [isWrapped, wrap] = useRemembered("penstock.log.wrap");
  const [isTimed, setTimed] = useRemembered("penstock.log.timestamps");
  const whole = address(false, isTimed);
  const log = useLog(address(true, isTimed), whole, isTimed, live);
  const [isFollowing, setFollowing] = useState(live || atEnd);
  const [isFull, setFull] = useState(false);
  const top = useRef(0);
  const search = useRef<HTMLInputElement>(null);
  const { sought, setSought, goal, seek } = useSearch(log, top, () => setFollowing(false));

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
  const { standing, end, first, times } = log.grown;
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
          {...{ log, live, whole, name, isFollowing, isWrapped, isTimed, isFull }}
          onFollow={setFollowing}
          onWrap={wrap}
          onTimes={setTimed}
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
          isTimed={isTimed && times !== "off" && times !== "none"}
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

/** What is looked for in a log, and the hit that was gone to. */
function useSearch(log: LogHold, top: RefObject<number>, left: () => void) {
  const [sought, setSought] = useState<Sought>();
  const [goal, setGoal] = useState<{ line: number; place: number }>();
  const { words, exact } = sought ?? { words: "", exact: false };
  const { search: begin } = log;
  useEffect(() => {
    begin(words, exact);
    setGoal(undefined);
  }, [words, exact, begin]);
  const seek = async (step: 1 | -1) => {
    const found = await log.seek(goal?.line ?? top.current - (step === 1 ? 1 : 0), step);
    if (found) {
      left();
      setGoal(found);
    }
  };
  return { sought, setSought, goal, seek };
}

/** Something that is on or off, as it was left in this browser. */
function useRemembered(key: string): [boolean, (on: boolean) => void] {
  const [isOn, setOn] = useState(() => localStorage.getItem(key) === "on");
  const set = (on: boolean) => {
    setOn(on);
    localStorage.setItem(key, on ? "on" : "off");
  };
  return [isOn, set];
}

interface ToolsProps extends Pick<ViewProps, "live" | "name"> {
  log: LogHold;
  /** Where all of it is, as it is shown. */
  whole: string;
  isFollowing: boolean;
  isWrapped: boolean;
  isTimed: boolean;
  isFull: boolean;
  onFollow: (following: boolean) => void;
  onWrap: (wrapped: boolean) => void;
  onTimes: (timed: boolean) => void;
  onFull: (full: boolean) => void;
}

function Tools(props: ToolsProps) {
  const { log, live, whole, name, isFollowing, isWrapped, isTimed, isFull } = props;
  const { onFollow, onWrap, onTimes, onFull } = props;
  return (
    <div className={style.tools}>
      {live && <Toggle name="Follow" icon="down" on={isFollowing} onToggle={onFollow} />}
      <Toggle name="Wrap" icon="wrap" on={isWrapped} onToggle={onWrap} />
      <Toggle name="Timestamps" icon="schedules" on={isTimed} onToggle={onTimes} />
      <Copy what="the log" words="Copy" text={() => copied(log)} />
      <a
        className={button.button}
        data-kind="quiet"
        data-bare
        aria-label="Download"
        title="Download"
        href={whole}
        download={name}
      >
        <Icon name="download" />
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
  icon: "down" | "wrap" | "schedules";
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
  const { standing, end, bytes: size, times } = log.grown;
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
      {/* Is there before it says something, so that it is read out. */}
      <span role="status">{times === "none" && "This server keeps no times of lines"}</span>
    </div>
  );
}
