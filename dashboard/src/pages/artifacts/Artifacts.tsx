import { Page } from "../../design/Page";

export default function Artifacts() {
  return <Page title="Artifacts">TODO</Page>;
}
