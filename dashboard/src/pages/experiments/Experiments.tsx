import { Page } from "../../design/Page";

export default function Experiments() {
  return <Page title="Experiments">TODO</Page>;
}
