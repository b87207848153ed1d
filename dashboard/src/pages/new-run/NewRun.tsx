import { Page } from "../../design/Page";

export default function NewRun() {
  return <Page title="NewRun">TODO</Page>;
}
