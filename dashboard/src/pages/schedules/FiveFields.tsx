import { Button } from "../../design/Button";
import { Notice } from "../../design/Notice";
import { cronWords, fiveFields } from "../../model/cron";
import style from "./Schedules.module.css";

/** Says what an expression of five fields means, which is seldom what it means elsewhere, and offers six. */
export function FiveFields({ cron, onChange }: { cron: string; onChange: (cron: string) => void }) {
  const found = fiveFields(cron);
  if (!found) {
    return null;
  }
  const { means, whole, elsewhere } = found;
  const words = elsewhere && cronWords(elsewhere);
  return (
    <Notice kind="warning" title="Five fields are read as seconds first, without the day of the week">
      <p>It means: {means}.</p>
      <div className={style.offers}>
        {elsewhere && (
          <Button onClick={() => onChange(elsewhere)}>
            As crontab has it: {elsewhere}
            {words !== elsewhere && ` (${words})`}
          </Button>
        )}
        <Button onClick={() => onChange(whole)}>As it stands: {whole}</Button>
      </div>
    </Notice>
  );
}
