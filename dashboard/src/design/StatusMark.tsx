import { STANDING_WORDS, type Standing } from "../model/state";
import { Icon, type IconName } from "./Icon";
import style from "./StatusMark.module.css";

const SHAPES: Record<Standing, IconName> = {
  waiting: "waiting",
  running: "running",
  succeeded: "succeeded",
  cached: "cached",
  skipped: "skipped",
  failed: "failed",
  canceling: "canceled",
  canceled: "canceled",
  unknown: "unknown",
};

/** A standing as shape, word and colour; `mute` where it is no standing of anything, and nobody is to hear the word. */
export function StatusMark({
  standing,
  bare = false,
  mute = false,
}: {
  standing: Standing;
  bare?: boolean;
  mute?: boolean;
}) {
  return (
    <span className={style.mark} data-standing={standing}>
      <span className={style.shape}>
        <Icon name={SHAPES[standing]} />
      </span>
      {!mute && <span className={bare ? "visually-hidden" : undefined}>{STANDING_WORDS[standing]}</span>}
    </span>
  );
}
