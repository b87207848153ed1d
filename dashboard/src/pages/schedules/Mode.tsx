import type { RecurringRun } from "../../api/kfp";
import { Icon } from "../../design/Icon";
import style from "./Schedules.module.css";

/** Whether a schedule fires, by shape and word. */
export function Mode({ schedule }: { schedule: RecurringRun }) {
  const isOn = schedule.mode === "ENABLE";
  return (
    <span className={style.mode} data-on={isOn || undefined}>
      <Icon name={isOn ? "play" : "pause"} size={14} />
      {isOn ? "Active" : "Paused"}
    </span>
  );
}
