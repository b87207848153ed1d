import { useState } from "react";
import { url } from "../../api/http";
import type { Json } from "../../api/kfp";
import type { NewRun } from "../../api/runs";
import { useNamespace } from "../../app/namespace";
import { Copy } from "../../design/Copy";
import { Card } from "../../design/Page";
import { Tabs } from "../../design/Tabs";
import { asCommand, asCurl, asPython, type PipelineSource } from "../../model/snippets";
import type { Draft } from "./draft";
import style from "./NewRun.module.css";

const TABS = [
  { name: "python", label: "Python" },
  { name: "command", label: "Command line" },
  { name: "http", label: "HTTP" },
] as const;
type TabName = (typeof TABS)[number]["name"];

/** The same run, for those who would rather start it from a program. */
export function Elsewhere({
  draft,
  isShared,
  source,
  values,
  body,
  missing,
}: {
  draft: Draft;
  /** Whether the server has many namespaces. */
  isShared: boolean;
  source: PipelineSource;
  values: Record<string, Json>;
  body: NewRun;
  /** How many parameters have no value yet that can be sent. */
  missing: number;
}) {
  const [tab, setTab] = useState<TabName>("python");
  const namespace = useNamespace();
  const host = url("").replace(/\/$/, "");
  const described = {
    host,
    namespace: isShared ? namespace : undefined,
    name: draft.name,
    description: draft.description.trim() || undefined,
    experimentId: draft.experimentId || undefined,
    source,
    parameters: values,
    pipelineRoot: draft.pipelineRoot.trim() || undefined,
    serviceAccount: draft.serviceAccount.trim() || undefined,
    caching: draft.caching === "" ? undefined : draft.caching === "on",
  };
  const code = {
    python: () => asPython(described),
    command: () => asCommand(described),
    http: () => asCurl(host, body as unknown as Json, isShared),
  }[tab]();
  return (
    <Card title="As code">
      <div className={style.part}>
        <Tabs label="Language" tabs={TABS} chosen={tab} onChoose={setTab} panel="as-code" />
        {missing > 0 && (
          <p className="soft">
            {missing === 1 ? "One parameter is" : `${missing} parameters are`} not right yet, and left out here.
          </p>
        )}
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
