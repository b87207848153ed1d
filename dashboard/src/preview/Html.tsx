import { useState } from "react";
import { contentUrl } from "../api/artifacts";
import { Button } from "../design/Button";
import style from "./Preview.module.css";

/** A page that a task wrote: its scripts run on ground of their own, with no way to the pages around, or to a network. */
export function Html({ id, name, path }: { id: string; name: string; path: string | undefined }) {
  const [isTall, setTall] = useState(false);
  const address = contentUrl(id, { display: "html", ...(path === undefined ? {} : { path }) });
  return (
    <div className={style.stack}>
      <iframe
        className={style.page}
        data-tall={isTall || undefined}
        title={name}
        src={address}
        sandbox="allow-scripts"
        referrerPolicy="no-referrer"
        loading="lazy"
      />
      <div>
        <Button kind="quiet" icon="expand" onClick={() => setTall(!isTall)}>
          {isTall ? "Show less" : "Show more"}
        </Button>
      </div>
    </div>
  );
}
