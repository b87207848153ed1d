import type { ReactNode } from "react";
import { ApiError } from "../api/http";
import { Button } from "./Button";
import { Icon, type IconName } from "./Icon";
import style from "./Notice.module.css";

/** Something to know: an error, a warning, a hint. */
export function Notice({
  kind,
  title,
  children,
  action,
}: {
  kind: "error" | "warning" | "info";
  title: ReactNode;
  children?: ReactNode;
  action?: ReactNode;
}) {
  const icons: Record<typeof kind, IconName> = { error: "failed", warning: "warning", info: "info" };
  return (
    <div className={style.notice} data-kind={kind} role={kind === "error" ? "alert" : undefined}>
      <span className={style.icon}>
        <Icon name={icons[kind]} size={18} />
      </span>
      <div className={style.text}>
        <div className={style.title}>{title}</div>
        {children}
      </div>
      {action}
    </div>
  );
}

/** Why something cannot be shown or was not done, and what can be done about it. */
export function Failed({ what, error, onRetry }: { what: string; error: unknown; onRetry?: () => void }) {
  return (
    <Notice
      kind="error"
      title={what}
      action={
        onRetry && (
          <Button icon="retry" onClick={onRetry}>
            Try again
          </Button>
        )
      }
    >
      <p>{error instanceof Error ? error.message : String(error)}</p>
      {error instanceof ApiError && <p className={style.detail}>{remedy(error)}</p>}
    </Notice>
  );
}

function remedy(error: ApiError): string {
  switch (error.status) {
    case 0:
      return "Check that the server is up and that this browser can reach it.";
    case 401:
      return "Sign in again, then reload the page.";
    case 403:
      return "Ask whoever looks after the namespace for the right to do this.";
    case 404:
      return "It may have been deleted, or the address may be mistyped.";
    default:
      return error.status >= 500 ? `The server could not answer ${error.request}; its log says more.` : "";
  }
}

/** What a place says that has nothing yet. */
export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className={style.empty}>
      <h2>{title}</h2>
      {children}
      {action}
    </div>
  );
}

/** Stands where something will be, without making the page jump. */
export function Loading({ what = "Loading", lines = 3 }: { what?: string; lines?: number }) {
  return (
    <div className={style.loading} role="status">
      <span className="visually-hidden">{what}…</span>
      {Array.from({ length: lines }, (_, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines have nothing else that tells them apart
        <span key={line} className={style.bone} />
      ))}
    </div>
  );
}
