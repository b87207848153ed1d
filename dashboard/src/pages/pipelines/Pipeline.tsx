import { Page } from "../../design/Page";

export default function Pipeline() {
  return <Page title="Pipeline">TODO</Page>;
}
