import { Suspense } from "react";
import { Route, Routes } from "react-router";
import { Loading } from "../design/Notice";
import { loadAhead } from "../pages/run/ahead";
import { Guard } from "./Guard";
import { part } from "./part";
import { Shell } from "./Shell";

const Home = part(() => import("../pages/home/Home"));
const Runs = part(() => import("../pages/runs/Runs"));
const Run = part(() => {
  loadAhead(window.location.hash);
  return import("../pages/run/Run");
});
const Making = part(() => import("./Making"));
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
const Elsewhere = part(() => import("./Elsewhere"));

export function App() {
  return (
    <Shell>
      <Guard>
        <Suspense fallback={<Loading what="Loading the page" />}>
          <Routes>
            <Route path="/" element={<Home />} />
            <Route path="/runs" element={<Runs />} />
            <Route path="/runs/new" element={<Making />} />
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
            <Route path="*" element={<Elsewhere />} />
          </Routes>
        </Suspense>
      </Guard>
    </Shell>
  );
}
