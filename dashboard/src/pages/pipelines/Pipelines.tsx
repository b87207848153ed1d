import { Page } from "../../design/Page";

export default function Pipelines() {
  return <Page title="Pipelines">TODO</Page>;
}
