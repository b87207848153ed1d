import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { taskQuery } from "../../../api/runs";
import { Button } from "../../../design/Button";
import { Moment } from "../../../design/Moment";
import { Failed, Loading } from "../../../design/Notice";
import { Card } from "../../../design/Page";
import { bytes } from "../../../model/bytes";
import { useRunView } from "../view";
import style from "./frame.module.css";
import { settingsOf } from "./settings";
import { Artifacts, Values } from "./Values";

/** What a run was given, what it gave, and how it is carried out. */
export function Details() {
  const { run, spec } = useRunView();
  const given = run.runtime_config?.parameters ?? {};
  return (
    <div className={style.details}>
      <Card title="Parameters">
        <div className={style.inside}>
          <Values values={spec?.parameters ?? given} none="The pipeline takes no parameters." />
        </div>
      </Card>
      <Outputs />
      <Settings />
      <Remarks />
      <div className={style.wide}>
        <Raw />
      </div>
    </div>
  );
}

function Outputs() {
  const { runId, present } = useRunView();
  const root = present.nodes.find((node) => node.parent === undefined);
  const detail = useQuery({ ...taskQuery(runId, root?.task_id ?? ""), enabled: root !== undefined });
  const { parameters = {}, artifacts = {} } = detail.data?.outputs ?? {};
  const isEmpty = Object.keys(parameters).length + Object.keys(artifacts).length === 0;
  return (
    <Card title="Outputs">
      <div className={style.inside}>
        {detail.isError && <Failed what="The outputs cannot be shown" error={detail.error} />}
        {root && detail.isPending && <Loading what="Loading the outputs" lines={2} />}
        {(!root || detail.data) && isEmpty && <p className="soft">The pipeline has given no outputs.</p>}
        {!isEmpty && (
          <>
            <Values values={parameters} none="" />
            <Artifacts artifacts={artifacts} />
          </>
        )}
      </div>
    </Card>
  );
}

function Settings() {
  const { run, record } = useRunView();
  return (
    <Card title="Settings">
      <div className={style.inside}>
        <Values values={settingsOf(run, record?.run)} none="" />
      </div>
    </Card>
  );
}

function Remarks() {
  const remarks = useRunView().record?.remarks ?? [];
  if (remarks.length === 0) {
    return null;
  }
  return (
    <Card title="Remarks">
      <ul className={`${style.inside} ${style.remarks}`}>
        {remarks.map((remark) => (
          <li key={`${remark.kind} ${remark.subject} ${remark.at}`}>
            <span className="soft small">
              {remark.subject || "Run"} · <Moment at={remark.at} />
            </span>
            <p>{remark.text}</p>
          </li>
        ))}
      </ul>
    </Card>
  );
}

const SHOWN = 400_000;

/** The pipeline as it was submitted. Drawn when asked for: it may be long. */
function Raw() {
  const { spec } = useRunView();
  const [isOpen, setIsOpen] = useState(false);
  const text = spec && (spec.text ?? JSON.stringify(spec.pipeline_spec, null, 2));
  return (
    <Card
      title="Pipeline as submitted"
      actions={
        <Button disabled={!text} aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
          {isOpen ? "Hide" : "Show"}
        </Button>
      }
    >
      <div className={style.inside}>
        {text && (
          <p className="soft">
            {isOpen && text.length > SHOWN ? "Its beginning; download it to see all." : bytes(text.length)}
          </p>
        )}
        {isOpen && text && (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and keys scroll what has the focus
          <section className={style.raw} tabIndex={0} aria-label="Pipeline as submitted">
            <pre>{text.slice(0, SHOWN)}</pre>
          </section>
        )}
      </div>
    </Card>
  );
}
