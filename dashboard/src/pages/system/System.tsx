import { Page } from "../../design/Page";

export default function System() {
  return <Page title="System">TODO</Page>;
}
