import { type ReactNode, useEffect, useId, useRef } from "react";
import { Button } from "./Button";
import style from "./Dialog.module.css";

/** A window above the page: the browser keeps the focus in it and closes it on Escape. */
export function Dialog({
  title,
  onClose,
  children,
  footer,
  side = false,
}: {
  title: string;
  onClose: () => void;
  children: ReactNode;
  footer?: ReactNode;
  side?: boolean;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const element = dialog.current;
    if (element && !element.open) {
      element.showModal();
      // Of its own the browser begins with the first that takes the focus, which closes it.
      element.querySelector<HTMLElement>("input, select, textarea")?.focus();
    }
    return () => element?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      className={style.dialog}
      aria-labelledby={id}
      data-side={side || undefined}
      // While pages are developed every effect is done twice, and it is open again when it hears that it was closed.
      onClose={() => !dialog.current?.open && onClose()}
    >
      <div className={style.head}>
        <h2 id={id}>{title}</h2>
        <Button kind="quiet" icon="close" label="Close" onClick={() => dialog.current?.close()} />
      </div>
      <div className={style.body}>{children}</div>
      {footer && <div className={style.footer}>{footer}</div>}
    </dialog>
  );
}
