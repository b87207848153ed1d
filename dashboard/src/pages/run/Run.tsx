import { Page } from "../../design/Page";

export default function Run() {
  return <Page title="Run">TODO</Page>;
}
