import { Component, type ReactNode } from "react";
import { Button } from "../design/Button";
import { Notice } from "../design/Notice";
import { Page } from "../design/Page";

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
    // A part of the pages is not there any more after the server was updated.
    const isOutdated = /dynamically imported module|Importing a module/.test(error.message);
    return (
      <Page title="Something broke">
        <Notice
          kind="error"
          title={isOutdated ? "This page is from another version of the server" : "This page could not be shown"}
          action={
            <Button icon="retry" onClick={() => location.reload()}>
              Reload
            </Button>
          }
        >
          {!isOutdated && <p>{error.message}</p>}
        </Notice>
      </Page>
    );
  }
}
