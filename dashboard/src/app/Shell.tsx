import { type ReactNode, Suspense, useEffect, useMemo, useState } from "react";
import { Link, useLocation, useNavigate } from "react-router";
import { Button } from "../design/Button";
import { Icon, type IconName } from "../design/Icon";
import { type Shortcut, useShortcuts } from "./keys";
import { useLink } from "./live";
import { Namespaces } from "./Namespaces";
import { part } from "./part";
import { isBelow, to } from "./routes";
import style from "./Shell.module.css";
import { setTheme, useTheme } from "./theme";

const loadPalette = () => import("./Palette");
const Palette = part(loadPalette);
const Keys = part(() => import("./Keys"));

const PLACES: { to: string; name: string; icon: IconName; key: string }[] = [
  { to: to.home, name: "Home", icon: "home", key: "h" },
  { to: to.runs, name: "Runs", icon: "runs", key: "r" },
  { to: to.pipelines, name: "Pipelines", icon: "pipelines", key: "p" },
  { to: to.experiments, name: "Experiments", icon: "experiments", key: "e" },
  { to: to.schedules, name: "Schedules", icon: "schedules", key: "s" },
  { to: to.artifacts, name: "Artifacts", icon: "artifacts", key: "a" },
  { to: to.system, name: "System", icon: "system", key: "y" },
];

/** What is around every page: where one can go, and how things stand. */
export function Shell({ children }: { children: ReactNode }) {
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const [open, setOpen] = useState<"palette" | "keys">();
  const shortcuts = useMemo<Shortcut[]>(
    () => [
      ...PLACES.map((place) => ({
        keys: `g ${place.key}`,
        label: `Go to ${place.name}`,
        perform: () => void navigate(place.to),
      })),
      { keys: "n", label: "New run", perform: () => void navigate(to.newRun()) },
      { keys: "/", label: "Search and commands", perform: () => setOpen("palette") },
      { keys: "?", label: "Show the keys", perform: () => setOpen("keys") },
    ],
    [navigate],
  );
  useShortcuts(shortcuts);
  // Whoever opens it types at once: it is there before it is asked for.
  useEffect(() => void setTimeout(() => loadPalette().catch(() => undefined), 1000), []);
  useEffect(() => {
    const answer = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setOpen("palette");
      }
    };
    window.addEventListener("keydown", answer);
    return () => window.removeEventListener("keydown", answer);
  }, []);
  // A new page begins at its top, and with its own name for whoever listens.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the path is what it follows
  useEffect(() => {
    const main = document.getElementById("main");
    main?.scrollTo(0, 0);
    if (document.activeElement === document.body) {
      main?.focus({ preventScroll: true });
    }
  }, [pathname]);
  return (
    <div className={style.shell}>
      <button type="button" className={style.skip} onClick={() => document.getElementById("main")?.focus()}>
        Skip to the page
      </button>
      <aside className={style.side}>
        <Link to={to.home} className={style.brand} title="Home">
          <img src="./favicon.svg" alt="" width={24} height={24} />
          <span>Penstock</span>
        </Link>
        <Namespaces />
        <button
          type="button"
          className={style.search}
          title="Search and commands (Ctrl K)"
          onClick={() => setOpen("palette")}
        >
          <Icon name="search" />
          <span>Search</span>
          <kbd>Ctrl K</kbd>
        </button>
        <nav aria-label="Pages">
          {PLACES.map((place) => (
            <Link
              key={place.to}
              to={place.to}
              className={style.place}
              title={`${place.name} (g ${place.key})`}
              aria-current={isBelow(pathname, place.to) ? "page" : undefined}
            >
              <Icon name={place.icon} />
              <span>{place.name}</span>
            </Link>
          ))}
        </nav>
        <div className={style.foot}>
          <LinkState />
          <div className={style.footButtons}>
            <ThemeButton />
            <Button kind="quiet" icon="keys" label="Keys (?)" onClick={() => setOpen("keys")}>
              <span>Keys</span>
            </Button>
          </div>
        </div>
      </aside>
      <div className={style.content}>{children}</div>
      <Suspense>
        {open === "palette" && <Palette onClose={() => setOpen(undefined)} />}
        {open === "keys" && <Keys shortcuts={shortcuts} onClose={() => setOpen(undefined)} />}
      </Suspense>
    </div>
  );
}

function LinkState() {
  const link = useLink();
  const words = { open: "Live", connecting: "Connecting", lost: "Not connected: trying again" }[link];
  return (
    <div className={style.link} data-link={link} role="status" title={words}>
      <i className={style.dot} />
      <span>{words}</span>
    </div>
  );
}

function ThemeButton() {
  const theme = useTheme();
  const next = ({ system: "light", light: "dark", dark: "system" } as const)[theme];
  const label = { system: "Theme of the system", light: "Light theme", dark: "Dark theme" }[theme];
  return (
    <Button
      kind="quiet"
      icon={{ system: "contrast", light: "sun", dark: "moon" }[theme] as IconName}
      label={`${label}; change to ${next}`}
      onClick={() => setTheme(next)}
    >
      <span>Theme</span>
    </Button>
  );
}
