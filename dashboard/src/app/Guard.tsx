import { Component, type ReactNode, useEffect, useState } from "react";
import { url } from "../api/http";
import { Button } from "../design/Button";
import { Loading, Notice } from "../design/Notice";
import { Page } from "../design/Page";
import { useLink } from "./live";

const DEADLINE_MS = 10_000;

/** Shows what broke in place of a page that did, and leaves what is around it. */
export class Guard extends Component<{ children: ReactNode }, { error?: Error; hash?: string }> {
  override state: { error?: Error; hash?: string } = {};

  static getDerivedStateFromError(error: Error) {
    return { error, hash: location.hash };
  }

  override componentDidMount() {
    window.addEventListener("hashchange", this.#moved);
  }

  override componentWillUnmount() {
    window.removeEventListener("hashchange", this.#moved);
  }

  readonly #moved = () => {
    if (this.state.error && this.state.hash !== location.hash) {
      this.setState({ error: undefined as never });
    }
  };

  override render() {
    const { error } = this.state;
    if (!error) {
      return this.props.children;
    }
    return isMissingPart(error) ? <Missing /> : <Broken error={error} />;
  }
}

function Broken({ error }: { error: Error }) {
  return (
    <Page title="Something broke">
      <Notice kind="error" title="This page could not be shown" action={<Reload />}>
        <p>{error.message}</p>
      </Notice>
    </Page>
  );
}

/** A part of the pages did not come: the server is away, or it is another version that does not have it any more. */
function Missing() {
  const link = useLink();
  const [found, setFound] = useState<"asking" | "away" | "outdated">("asking");
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again whenever the link changes
  useEffect(() => {
    const gone = new AbortController();
    void isThere(gone.signal).then((is) => !gone.signal.aborted && setFound(is ? "outdated" : "away"));
    return () => gone.abort();
  }, [link]);
  // What failed once is not asked for again: the page has to begin anew.
  const isBack = found === "away" && link === "open";
  useEffect(() => {
    if (isBack) {
      location.reload();
    }
  }, [isBack]);
  if (found === "asking") {
    return (
      <Page title="Penstock">
        <Loading what="Asking the server" />
      </Page>
    );
  }
  return found === "outdated" ? (
    <Page title="Another version">
      <Notice kind="warning" title="This page is from another version of the server" action={<Reload />}>
        <p>The server was updated while it was open.</p>
      </Notice>
    </Page>
  ) : (
    <Page title="Not connected">
      <Notice kind="error" title="The server cannot be reached" action={<Reload />}>
        <p>This page was not loaded before. It will be as soon as the server is back.</p>
      </Notice>
    </Page>
  );
}

function Reload() {
  return (
    <Button icon="retry" onClick={() => location.reload()}>
      Reload
    </Button>
  );
}

/** Whether the server answers with its pages. */
async function isThere(signal: AbortSignal): Promise<boolean> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]);
  const answer = await fetch(url(""), { cache: "no-store", signal: within }).catch(() => undefined);
  return answer?.ok === true;
}

/** As browsers say that a module could not be had, each in its own words. */
const isMissingPart = (error: Error) =>
  /dynamically imported module|Importing a module|preload CSS/i.test(error.message);
