import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { url } from "../../api/http";
import type { Check, System as SystemInfo } from "../../api/penstock";
import { systemQuery } from "../../api/system";
import { useLink } from "../../app/live";
import { useNamespace } from "../../app/namespace";
import { Button } from "../../design/Button";
import { Copy } from "../../design/Copy";
import { Icon, type IconName } from "../../design/Icon";
import { Failed, Loading } from "../../design/Notice";
import { Card, Page } from "../../design/Page";
import { local } from "../../model/time";
import style from "./System.module.css";

export default function System() {
  const system = useQuery({ ...systemQuery(useNamespace()), staleTime: 0, refetchInterval: 30_000 });
  const { refetch } = system;
  const isLost = useLink() === "lost";
  useEffect(() => {
    if (isLost) {
      void refetch();
    }
  }, [isLost, refetch]);
  // What it said before does not hold any more.
  const isOld = isLost || system.isError;
  return (
    <Page
      title="System"
      actions={
        <Button icon="retry" busy={system.isFetching} onClick={() => void system.refetch()}>
          Check again
        </Button>
      }
    >
      {system.data ? (
        <>
          {isOld && (
            <Failed
              what="The server does not answer"
              error={system.error ?? new Error("The stream of its changes broke off.")}
            />
          )}
          <Facts system={system.data} />
          <Checks checks={system.data.checks ?? []} since={isOld ? system.dataUpdatedAt : undefined} />
          <Access />
        </>
      ) : system.isError ? (
        <Failed what="The server's state cannot be read" error={system.error} onRetry={() => void system.refetch()} />
      ) : (
        <Loading what="Asking the server" />
      )}
    </Page>
  );
}

function Facts({ system }: { system: SystemInfo }) {
  const link = useLink();
  const stores: Record<string, string> = { sqlite: "SQLite", postgresql: "PostgreSQL" };
  return (
    <Card title="This installation">
      <dl className={`definitions ${style.padded}`}>
        <dt>Version</dt>
        <dd>
          {system.version}
          {system.commit && <span className="soft mono"> {system.commit.slice(0, 12)}</span>}
        </dd>
        <dt>Tasks run as</dt>
        <dd>{system.mode === "kubernetes" ? "Pods of Kubernetes" : "processes of the server's machine"}</dd>
        <dt>Records are in</dt>
        <dd>{stores[system.store.kind] ?? system.store.kind}</dd>
        <dt>Access</dt>
        <dd>{system.multi_user ? `Multi-user; you are ${system.user ?? "not known"}` : "Single-user"}</dd>
        {system.namespaces && system.namespaces.length > 0 && (
          <>
            <dt>Namespaces</dt>
            <dd>{system.namespaces.join(", ")}</dd>
          </>
        )}
        <dt>Live changes</dt>
        <dd>{{ open: "Connected", connecting: "Connecting", lost: "Not connected" }[link]}</dd>
      </dl>
    </Card>
  );
}

const MARKS: Record<Check["status"], [IconName, string]> = {
  OK: ["succeeded", "OK"],
  WARNING: ["warning", "Warning"],
  FAILED: ["failed", "Failed"],
};

/** How things stand, or stood when the server was last heard of. */
function Checks({ checks, since }: { checks: readonly Check[]; since: number | undefined }) {
  const isPast = since !== undefined;
  return (
    <Card title={isPast ? `Health as it was at ${local(since)}` : "Health"}>
      {checks.length === 0 && <p className="soft">It is told to those who may look at the runs of a namespace.</p>}
      <ul>
        {checks.map((check) => {
          const [icon, word] = MARKS[check.status];
          return (
            <li key={check.name} className={style.check} data-status={isPast ? "UNKNOWN" : check.status}>
              <span className={style.mark}>
                <Icon name={isPast ? "unknown" : icon} />
                {isPast ? `Was ${word}` : word}
              </span>
              <div>
                <strong>{check.name}</strong>
                <p className="soft">{check.detail}</p>
                {check.remedy && check.status !== "OK" && <p>{check.remedy}</p>}
              </div>
            </li>
          );
        })}
      </ul>
    </Card>
  );
}

function Access() {
  const host = url("").replace(/\/$/, "");
  const code = `from kfp import Client

client = Client(host="${host}")`;
  return (
    <Card title="From Python">
      <div className={style.padded}>
        <pre>{code}</pre>
        <p>
          <Copy what="the code" words="Copy" text={code} />
          <a href={url("apis/penstock/v1/openapi.json")}>OpenAPI document</a>
        </p>
      </div>
    </Card>
  );
}
