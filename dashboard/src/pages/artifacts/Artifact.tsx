import { Page } from "../../design/Page";

export default function Artifact() {
  return <Page title="Artifact">TODO</Page>;
}
