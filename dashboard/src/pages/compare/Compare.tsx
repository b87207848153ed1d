import { Page } from "../../design/Page";

export default function Compare() {
  return <Page title="Compare">TODO</Page>;
}
