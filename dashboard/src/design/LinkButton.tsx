import type { ReactNode } from "react";
import { Link } from "react-router";
import style from "./Button.module.css";
import { Icon, type IconName } from "./Icon";

/** A link that looks like a button: it leads somewhere, and can be opened in a new tab. */
export function LinkButton({
  to,
  icon,
  kind = "plain",
  children,
}: {
  to: string;
  icon?: IconName;
  kind?: "plain" | "primary" | "quiet";
  children: ReactNode;
}) {
  return (
    <Link to={to} className={style.button} data-kind={kind}>
      {icon && <Icon name={icon} />}
      {children}
    </Link>
  );
}
