import type { ButtonHTMLAttributes, ReactNode } from "react";
import style from "./Button.module.css";
import { Icon, type IconName } from "./Icon";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: "plain" | "primary" | "danger" | "quiet";
  icon?: IconName;
  /** For a button that shows its icon alone: what it does. */
  label?: string;
  busy?: boolean;
  children?: ReactNode;
}

export function Button({ kind = "plain", icon, label, busy = false, children, disabled, ...rest }: Props) {
  return (
    <button
      type="button"
      className={style.button}
      data-kind={kind}
      data-bare={children === undefined || undefined}
      aria-label={label}
      title={label}
      aria-busy={busy || undefined}
      disabled={disabled || busy}
      {...rest}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}
