import { useAddressQuery } from "../../app/query";
import { to } from "../../app/routes";
import { LinkButton } from "../../design/LinkButton";
import { Page } from "../../design/Page";
import { readFilter } from "../../model/runFilter";
import { RunList } from "./RunList";

export default function Runs() {
  const [query] = useAddressQuery();
  const { experiment, isArchived } = readFilter(query);
  return (
    <Page
      title={isArchived ? "Archived runs" : "Runs"}
      wide
      actions={
        <LinkButton to={to.newRun({ experimentId: experiment })} icon="plus" kind="primary">
          New run
        </LinkButton>
      }
    >
      <RunList />
    </Page>
  );
}
