import { useAddressQuery } from "../../app/query";
import { to } from "../../app/routes";
import { LinkButton } from "../../design/LinkButton";
import { NameSearch } from "../../design/NameSearch";
import { Page } from "../../design/Page";
import { ScheduleList } from "./ScheduleList";

export default function Schedules() {
  const [query, setQuery] = useAddressQuery();
  const name = query.get("name") ?? "";
  return (
    <Page
      title="Schedules"
      wide
      actions={
        <LinkButton to={to.newSchedule()} icon="plus" kind="primary">
          New schedule
        </LinkButton>
      }
    >
      <NameSearch value={name} onChange={(word) => setQuery(word === "" ? {} : { name: word }, { replace: true })} />
      <ScheduleList name={name} experimentId={query.get("experimentId") ?? undefined} />
    </Page>
  );
}
