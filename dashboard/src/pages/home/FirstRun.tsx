import { url } from "../../api/http";
import { to } from "../../app/routes";
import { Copy } from "../../design/Copy";
import { LinkButton } from "../../design/LinkButton";
import { Card } from "../../design/Page";
import style from "./Home.module.css";

/** What to do where nothing has run yet. */
export function FirstRun() {
  const host = url("").replace(/\/$/, "");
  const compile = `from kfp import compiler, dsl

@dsl.component
def greet(name: str) -> str:
    return f"Hello, {name}!"

@dsl.pipeline
def hello(name: str = "world"):
    greet(name=name)

compiler.Compiler().compile(hello, "hello.yaml")`;
  const submit = `from kfp import Client

client = Client(host="${host}")
client.create_run_from_pipeline_package("hello.yaml", arguments={"name": "you"})`;
  return (
    <Card title="Your first run">
      <ol className={style.steps}>
        <li>
          <h3>Write a pipeline, and compile it</h3>
          <Code text={compile} />
        </li>
        <li>
          <h3>Submit it from Python</h3>
          <Code text={submit} />
        </li>
        <li>
          <h3>Or upload it, and start it here</h3>
          <p>
            <LinkButton to={`${to.pipelines}?upload=1`} icon="upload" kind="primary">
              Upload a pipeline
            </LinkButton>
          </p>
        </li>
      </ol>
    </Card>
  );
}

function Code({ text }: { text: string }) {
  return (
    <div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys */}
      <pre className={style.code} tabIndex={0}>
        {text}
      </pre>
      <Copy what="it" words="Copy" text={text} />
    </div>
  );
}
