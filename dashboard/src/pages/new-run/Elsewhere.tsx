import { useState } from "react";
import { url } from "../../api/http";
import type { Json } from "../../api/kfp";
import type { NewRun } from "../../api/runs";
import { Copy } from "../../design/Copy";
import { Card } from "../../design/Page";
import { Tabs } from "../../design/Tabs";
import { asCurl, asPython } from "../../model/snippets";
import type { Draft } from "./draft";
import style from "./NewRun.module.css";

const TABS = [
  { name: "python", label: "Python" },
  { name: "shell", label: "Shell" },
] as const;

/** The same run, for those who would rather start it from a program. */
export function Elsewhere({
  draft,
  versionId,
  values,
  body,
}: {
  draft: Draft;
  versionId: string;
  values: Record<string, Json>;
  body: NewRun;
}) {
  const [tab, setTab] = useState<"python" | "shell">("python");
  const host = url("").replace(/\/$/, "");
  const code =
    tab === "python"
      ? asPython({
          host,
          name: draft.name,
          experimentId: draft.experimentId,
          pipelineId: draft.chosen.pipelineId,
          versionId,
          parameters: values,
          caching: draft.caching === "" ? undefined : draft.caching === "on",
        })
      : asCurl(host, body as unknown as Json);
  return (
    <Card title="As code">
      <div className={style.part}>
        <Tabs label="Language" tabs={TABS} chosen={tab} onChoose={setTab} panel="as-code" />
        <div id="as-code" role="tabpanel" aria-label="Code">
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys */}
          <pre className={style.code} tabIndex={0}>
            {code}
          </pre>
          <Copy what="the code" words="Copy" text={code} />
        </div>
      </div>
    </Card>
  );
}
