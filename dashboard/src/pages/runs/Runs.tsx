import { Page } from "../../design/Page";

export default function Runs() {
  return <Page title="Runs">TODO</Page>;
}
