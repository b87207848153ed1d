import { Page } from "../../design/Page";

export default function Schedule() {
  return <Page title="Schedule">TODO</Page>;
}
