import { useMemo } from "react";
import type { Json } from "../../api/kfp";
import { Button } from "../../design/Button";
import { Copy } from "../../design/Copy";
import { inCode } from "../../model/bidi";
import style from "./Pipelines.module.css";

/** More than that is for an editor. */
const SHOWN = 200_000;

/** A pipeline as it is stored. */
export function Source({ document: source, name }: { document: Json; name: string }) {
  const text = useMemo(() => JSON.stringify(source, null, 2), [source]);
  const save = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = `${name.replace(/[^\w.-]+/g, "_")}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
  return (
    <div>
      <div className={`${style.bar} ${style.padded}`}>
        <Button icon="download" onClick={save}>
          Download
        </Button>
        <Copy what="it" words="Copy" text={text} />
        <span className="soft">As the server understood it, as JSON. The file that was uploaded is not shown.</span>
        {text.length > SHOWN && <span className="soft">The beginning is shown; the download is whole.</span>}
      </div>
      <pre className={style.source}>{inCode(text.slice(0, SHOWN))}</pre>
    </div>
  );
}
