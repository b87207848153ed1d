import { Suspense } from "react";
import { Navigate, Route, Routes, useParams, useSearchParams } from "react-router";
import { LinkButton } from "../design/LinkButton";
import { Empty, Loading } from "../design/Notice";
import { Page } from "../design/Page";
import { loadAhead } from "../pages/run/ahead";
import { Guard } from "./Guard";
import { part } from "./part";
import { to } from "./routes";
import { Shell } from "./Shell";

const Home = part(() => import("../pages/home/Home"));
const Runs = part(() => import("../pages/runs/Runs"));
const Run = part(() => {
  loadAhead(window.location.hash);
  return import("../pages/run/Run");
});
const NewRun = part(() => import("../pages/new-run/NewRun"));
const Compare = part(() => import("../pages/compare/Compare"));
const Pipelines = part(() => import("../pages/pipelines/Pipelines"));
const Pipeline = part(() => import("../pages/pipelines/Pipeline"));
const Experiments = part(() => import("../pages/experiments/Experiments"));
const Experiment = part(() => import("../pages/experiments/Experiment"));
const Schedules = part(() => import("../pages/schedules/Schedules"));
const Schedule = part(() => import("../pages/schedules/Schedule"));
const NewSchedule = part(() => import("../pages/schedules/NewSchedule"));
const Artifacts = part(() => import("../pages/artifacts/Artifacts"));
const Artifact = part(() => import("../pages/artifacts/Artifact"));
const System = part(() => import("../pages/system/System"));

export function App() {
  return (
    <Shell>
      <Guard>
        <Suspense fallback={<Loading what="Loading the page" />}>
          <Routes>
            <Route path="/" element={<Home />} />
            <Route path="/runs" element={<Runs />} />
            <Route path="/runs/new" element={<NewRun />} />
            <Route path="/runs/details/:runId" element={<Run />} />
            <Route path="/compare" element={<Compare />} />
            <Route path="/pipelines" element={<Pipelines />} />
            <Route path="/pipelines/details/:pipelineId" element={<Pipeline />} />
            <Route path="/pipelines/details/:pipelineId/version/:versionId" element={<Pipeline />} />
            <Route path="/experiments" element={<Experiments />} />
            <Route path="/experiments/details/:experimentId" element={<Experiment />} />
            <Route path="/recurringruns" element={<Schedules />} />
            <Route path="/recurringruns/new" element={<NewSchedule />} />
            <Route path="/recurringrun/details/:scheduleId" element={<Schedule />} />
            <Route path="/artifacts" element={<Artifacts />} />
            <Route path="/artifacts/:artifactId" element={<Artifact />} />
            <Route path="/system" element={<System />} />
            {/* Where KFP's own pages are, or were, and ours have another name. */}
            <Route path="/start" element={<Navigate to={to.home} replace />} />
            <Route path="/archive/runs" element={<Navigate to={`${to.runs}?storage=archived`} replace />} />
            <Route
              path="/archive/experiments"
              element={<Navigate to={`${to.experiments}?storage=archived`} replace />}
            />
            <Route path="/shared/pipelines" element={<Navigate to={to.pipelines} replace />} />
            <Route path="/recurringrun/:scheduleId" element={<Moved place={to.schedule} param="scheduleId" />} />
            <Route path="/recurringrun/edit/:scheduleId" element={<Moved place={to.schedule} param="scheduleId" />} />
            <Route path="/getting_started" element={<Navigate to={to.home} replace />} />
            <Route path="/experiments/new" element={<Navigate to={to.experiments} replace />} />
            <Route path="/pipeline_versions/new" element={<NewVersion />} />
            <Route path="/execution_details/*" element={<Navigate to={to.runs} replace />} />
            <Route path="/executions" element={<Navigate to={to.runs} replace />} />
            <Route path="*" element={<Nowhere />} />
          </Routes>
        </Suspense>
      </Guard>
    </Shell>
  );
}

function Moved({ place, param }: { place: (id: string) => string; param: string }) {
  return <Navigate to={place(useParams()[param] ?? "")} replace />;
}

/** Where KFP uploads another version of a pipeline, and a first one of a pipeline that does not exist yet. */
function NewVersion() {
  const pipeline = useSearchParams()[0].get("pipelineId");
  return <Navigate to={pipeline ? to.pipeline(pipeline) : `${to.pipelines}?upload=1`} replace />;
}

function Nowhere() {
  return (
    <Page title="No such page">
      <Empty
        title="There is no page at this address"
        action={<LinkButton to={to.home}>Go to the first page</LinkButton>}
      >
        <p>It may be mistyped, or from another version.</p>
      </Empty>
    </Page>
  );
}
