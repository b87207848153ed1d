import { Page } from "../../design/Page";

export default function Schedules() {
  return <Page title="Schedules">TODO</Page>;
}
