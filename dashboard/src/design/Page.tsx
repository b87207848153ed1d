import { type ReactNode, useEffect } from "react";
import { Link } from "react-router";
import { isolated } from "../model/bidi";
import style from "./Page.module.css";

export interface Crumb {
  name: string;
  to: string;
}

/** The frame of a page: where it is, what it is called, what can be done, and what it holds. */
export function Page({
  title,
  heading,
  crumbs = [],
  actions,
  children,
  wide = false,
}: {
  /** Of the document, and the heading unless that is given. */
  title: string;
  heading?: ReactNode;
  crumbs?: Crumb[];
  actions?: ReactNode;
  children: ReactNode;
  /** Whether it takes all the height there is and scrolls within. */
  wide?: boolean;
}) {
  useEffect(() => {
    document.title = `${isolated(title)} · Penstock`;
  }, [title]);
  return (
    <main className={style.page} id="main" tabIndex={-1} data-wide={wide || undefined}>
      <header className={style.header}>
        <div className={style.titles}>
          {crumbs.length > 0 && (
            <nav aria-label="Breadcrumbs" className={style.crumbs}>
              {crumbs.map((crumb) => (
                <span key={crumb.to}>
                  <Link to={crumb.to}>{crumb.name}</Link>
                  <span aria-hidden="true"> / </span>
                </span>
              ))}
            </nav>
          )}
          <h1>{heading ?? title}</h1>
        </div>
        <div className={style.actions}>{actions}</div>
      </header>
      {children}
    </main>
  );
}

/** A part of a page, on a ground of its own. */
export function Card({ title, actions, children }: { title?: string; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className={style.card} aria-label={title}>
      {title && (
        <div className={style.cardHead}>
          <h2>{title}</h2>
          {actions}
        </div>
      )}
      {children}
    </section>
  );
}
