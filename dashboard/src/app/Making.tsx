import { Navigate, useSearchParams } from "react-router";
import NewRun from "../pages/new-run/NewRun";
import { to } from "./routes";

/** The page of new runs, on which KFP makes schedules too. */
export default function Making() {
  const [query] = useSearchParams();
  if (query.get("recurring") !== "1") {
    return <NewRun />;
  }
  const cloned = query.get("cloneFromRecurringRun");
  return <Navigate to={cloned ? to.schedule(cloned) : to.newSchedule(Object.fromEntries(query))} replace />;
}
