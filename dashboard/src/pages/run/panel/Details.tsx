import type { TaskDetail, TreeNode } from "../../../api/penstock";
import { Arguments } from "../../../design/Arguments";
import { Copy } from "../../../design/Copy";
import { Loading } from "../../../design/Notice";
import { CacheCard } from "./CacheCard";
import style from "./Panel.module.css";
import { PodCard } from "./PodCard";

/** What was run, and how: image, command, environment, cache, Pod. */
export function Details({ node, detail }: { node: TreeNode; detail: TaskDetail | undefined }) {
  const attempt = [...(node.attempts ?? [])].reverse().find((it) => it.pod_name);
  return (
    <>
      <dl className="definitions">
        <dt>Path</dt>
        <dd className="mono">{node.path}</dd>
        <dt>Id</dt>
        <dd className={style.copied}>
          <span className="mono">{node.task_id}</span>
          <Copy what="the id" text={node.task_id} />
        </dd>
        <dt>Component</dt>
        <dd className="mono">{node.component || "–"}</dd>
        {detail?.image && (
          <>
            <dt>Image</dt>
            <dd className={style.copied}>
              <span className="mono">{detail.image}</span>
              <Copy what="the image" text={detail.image} />
            </dd>
          </>
        )}
      </dl>
      {node.kind === "CONTAINER" && <CacheCard node={node} />}
      {node.kind === "CONTAINER" && !detail && <Loading />}
      {detail && <Command command={detail.command ?? []} />}
      {detail && <Environment env={detail.env ?? []} />}
      {attempt && <PodCard node={node} attempt={attempt} />}
    </>
  );
}

function Command({ command }: { command: string[] }) {
  if (command.length === 0) {
    return null;
  }
  return (
    <section className={style.section}>
      <div className={style.cardHead}>
        <h3>Command</h3>
        <span className={style.end} />
        <Copy what="the command" text={() => command.map(quoted).join(" ")} />
      </div>
      <Arguments command={command} />
    </section>
  );
}

/** An argument as a shell takes it. */
function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}

function Environment({ env }: { env: { name: string; value?: string }[] }) {
  if (env.length === 0) {
    return null;
  }
  return (
    <section className={style.section}>
      <h3>Environment</h3>
      <dl className="definitions">
        {env.map(({ name, value }) => (
          <div key={name} className={style.pair}>
            <dt className="mono">{name}</dt>
            <dd className="mono">{value ?? <span className="soft">not shown</span>}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
