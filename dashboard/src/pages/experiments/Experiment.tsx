import { Page } from "../../design/Page";

export default function Experiment() {
  return <Page title="Experiment">TODO</Page>;
}
