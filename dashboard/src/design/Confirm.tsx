import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Button } from "./Button";
import { Dialog } from "./Dialog";
import { Failed } from "./Notice";

/** Asks before something that cannot be taken back, does it, and says why if it was not done. */
export function Confirm({
  title,
  action,
  children,
  danger = true,
  perform,
  onClose,
}: {
  title: string;
  /** What the button says. */
  action: string;
  children: ReactNode;
  danger?: boolean;
  perform: () => Promise<unknown>;
  onClose: () => void;
}) {
  const doing = useMutation({ mutationFn: perform, onSuccess: onClose });
  return (
    <Dialog
      title={title}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind={danger ? "danger" : "primary"} busy={doing.isPending} onClick={() => doing.mutate()}>
            {action}
          </Button>
        </>
      }
    >
      {children}
      {doing.isError && <Failed what={`${title}: not done`} error={doing.error} />}
    </Dialog>
  );
}
