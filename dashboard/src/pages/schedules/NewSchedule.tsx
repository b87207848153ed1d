import { Page } from "../../design/Page";

export default function NewSchedule() {
  return <Page title="NewSchedule">TODO</Page>;
}
