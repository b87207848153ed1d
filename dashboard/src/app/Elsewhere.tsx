import { Navigate, Route, Routes, useParams, useSearchParams } from "react-router";
import { LinkButton } from "../design/LinkButton";
import { Empty } from "../design/Notice";
import { Page } from "../design/Page";
import { to } from "./routes";

/** Where pages of KFP are, or were, that are no pages here: each leads to what is nearest. Other addresses lead nowhere. */
export default function Elsewhere() {
  return (
    <Routes>
      {["/start", "/getting_started", "/frontend_features"].map((path) => (
        <Route key={path} path={path} element={<Navigate to={to.home} replace />} />
      ))}
      <Route path="/archive/runs" element={<Navigate to={`${to.runs}?storage=archived`} replace />} />
      <Route path="/archive/experiments" element={<Navigate to={`${to.experiments}?storage=archived`} replace />} />
      <Route path="/shared/pipelines" element={<Navigate to={to.pipelines} replace />} />
      <Route path="/pipelines/details" element={<Navigate to={to.pipelines} replace />} />
      <Route path="/shared/pipelines/details/:pipelineId" element={<Moved place={to.pipeline} param="pipelineId" />} />
      <Route path="/shared/pipelines/details/:pipelineId/version/:versionId" element={<Version />} />
      <Route path="/pipelines/details/:pipelineId/version" element={<Moved place={to.pipeline} param="pipelineId" />} />
      <Route path="/pipeline_versions/new" element={<NewVersion />} />
      <Route path="/recurringrun/:scheduleId" element={<Moved place={to.schedule} param="scheduleId" />} />
      <Route path="/recurringrun/edit/:scheduleId" element={<Moved place={to.schedule} param="scheduleId" />} />
      <Route path="/experiments/new" element={<Navigate to={to.experiments} replace />} />
      {/* What an execution was is a task here, which is not found by its number; its run is. */}
      <Route path="/runs/details/:runId/execution/*" element={<Moved place={to.run} param="runId" />} />
      {["/executions/*", "/execution_details/*"].map((path) => (
        <Route key={path} path={path} element={<Navigate to={to.runs} replace />} />
      ))}
      {/* The page of an artifact shows where it comes from. */}
      <Route path="/artifacts/:artifactId/lineage" element={<Moved place={to.artifact} param="artifactId" />} />
      <Route path="*" element={<Nowhere />} />
    </Routes>
  );
}

function Moved({ place, param }: { place: (id: string) => string; param: string }) {
  return <Navigate to={place(useParams()[param] ?? "")} replace />;
}

function Version() {
  const { pipelineId = "", versionId = "" } = useParams();
  return <Navigate to={to.version(pipelineId, versionId)} replace />;
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
