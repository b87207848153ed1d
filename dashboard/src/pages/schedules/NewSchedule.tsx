import { useNavigate } from "react-router";
import { to } from "../../app/routes";
import { Page } from "../../design/Page";
import { ScheduleForm } from "./ScheduleForm";

export default function NewSchedule() {
  const navigate = useNavigate();
  return (
    <Page title="New schedule" crumbs={[{ name: "Schedules", to: to.schedules }]}>
      <ScheduleForm onDone={(id) => void navigate(id ? to.schedule(id) : to.schedules)} />
    </Page>
  );
}
