//! The document of `-o json`: a run with all its tasks, in KFP's words. Scripts depend on it: members are added, never
//! changed.

use std::io::{BufWriter, Write};

use penstock_driver::{BackendKind, RunOptions};
use penstock_engine::{NodeId, NodeKind, NodeView, RunState};
use penstock_metastore::Remark;
use penstock_spec::Timestamp;
use penstock_spec::artifact::{Artifact, Content};
use penstock_spec::ir::Named;
use penstock_spec::report::{FailureCause, TaskOutputs};
use penstock_spec::run::{RunInfo, RunStatus, TaskStatus};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::tree::{order, skip_text};
use crate::waiting::Waiting;

/// A run. What it says of tasks is put together one task after the other while it is written.
#[derive(Debug, Serialize)]
pub(crate) struct RunDocument<'a> {
    run_id: Uuid,
    name: String,
    display_name: String,
    pipeline: String,
    /// Where its tasks run.
    backend: BackendKind,
    /// Of the tasks' Pods; null where there are none.
    namespace: Option<String>,
    /// As KFP shows it; nothing runs under it.
    service_account: &'a str,
    state: RunStatus,
    error: Option<String>,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    root: String,
    parameters: Map<String, Value>,
    outputs: Values,
    /// What there is to know of it beside its tasks.
    remarks: Vec<Remark>,
    tasks: Tasks<'a>,
}

#[derive(Debug)]
struct Tasks<'a> {
    state: &'a RunState,
    waiting: Waiting,
}

impl Serialize for Tasks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Tasks { state, waiting } = self;
        serializer.collect_seq(order(state).into_iter().filter_map(|id| task(state, id, waiting)))
    }
}

/// Parameters and artifacts by name.
#[derive(Debug, Default, Serialize)]
struct Values {
    parameters: Map<String, Value>,
    artifacts: Named<Vec<ArtifactDocument>>,
}

/// A task, a group, a loop, or one of its iterations.
#[derive(Debug, Serialize)]
struct TaskDocument {
    name: String,
    display_name: String,
    path: String,
    kind: &'static str,
    state: TaskStatus,
    cached: bool,
    cached_from: Option<Value>,
    iteration: Option<u32>,
    /// Counted from 1; null if none was started.
    attempt: Option<u64>,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    parameters: Sides<Map<String, Value>>,
    artifacts: Sides<Named<Vec<ArtifactDocument>>>,
    ran_on_host: bool,
    error: Option<String>,
    /// Kind of the failure.
    cause: Option<FailureCause>,
    reason: Option<String>,
    /// What the Pod of its attempt waits for, where that was looked at.
    waits_for: Option<String>,
    log: Option<String>,
}

#[derive(Debug, Serialize)]
struct Sides<T> {
    inputs: T,
    outputs: T,
}

#[derive(Debug, Serialize)]
struct ArtifactDocument {
    id: Uuid,
    name: String,
    #[serde(rename = "type")]
    artifact_type: String,
    uri: String,
    metadata: Map<String, Value>,
    content: Option<Content>,
}

impl<'a> RunDocument<'a> {
    /// Describes a run as it is now. One that was created and has not started yet has its identity and no more.
    pub(crate) fn new(info: &RunInfo, options: &'a RunOptions, state: &'a RunState) -> RunDocument<'a> {
        RunDocument {
            run_id: info.id,
            name: info.name.clone(),
            display_name: info.display_name.clone(),
            pipeline: state.pipeline().name().to_owned(),
            backend: options.backend,
            namespace: (options.backend == BackendKind::Kubernetes).then(|| info.namespace.clone()),
            service_account: &options.service_account,
            state: state.status(),
            error: state.failure().map(|failure| failure.message.clone()),
            created_at: info.created_at,
            started_at: state.started_at(),
            finished_at: state.ended_at(),
            root: info.pipeline_root.clone(),
            parameters: state.parameters().cloned().unwrap_or_default(),
            outputs: state.outputs().map(values).unwrap_or_default(),
            remarks: Vec::new(),
            tasks: Tasks { state, waiting: Waiting::new() },
        }
    }

    /// With what there is to know of the run beside its tasks.
    pub(crate) fn with_remarks(mut self, remarks: Vec<Remark>) -> RunDocument<'a> {
        self.remarks = remarks;
        self
    }

    /// With what its tasks wait for.
    pub(crate) fn with_waiting(mut self, waiting: Waiting) -> RunDocument<'a> {
        self.tasks.waiting = waiting;
        self
    }

    /// Prints it as the one thing on standard output; a reader that went away is no error.
    pub(crate) fn print(&self) {
        let mut output = BufWriter::new(std::io::stdout().lock());
        let _ = self.write(&mut output);
    }

    fn write(&self, output: &mut impl Write) -> std::io::Result<()> {
        serde_json::to_writer_pretty(&mut *output, self)?;
        output.write_all(b"\n")?;
        output.flush()
    }
}

fn task(state: &RunState, id: NodeId, waiting: &Waiting) -> Option<TaskDocument> {
    let view = state.node(id)?;
    let inputs = view.own_inputs();
    let outputs = values(view.outputs());
    Some(TaskDocument {
        name: view.key.to_owned(),
        display_name: view.display_name.to_owned(),
        path: state.path(id),
        kind: kind(view.kind),
        state: view.status,
        cached: view.cached_from().is_some(),
        cached_from: view.cached_from().and_then(|source| serde_json::to_value(source).ok()),
        iteration: iteration(state, &view),
        attempt: view.attempt.map(|attempt| u64::from(attempt) + 1),
        started_at: view.started_at,
        finished_at: view.ended_at,
        parameters: Sides { inputs: inputs.parameters, outputs: outputs.parameters },
        artifacts: Sides { inputs: artifacts(&inputs.artifacts), outputs: outputs.artifacts },
        ran_on_host: view.ran_on_host,
        error: view.failure().map(|failure| failure.message.clone()),
        cause: view.failure().map(|failure| failure.cause),
        reason: view.skip_reason().map(skip_text),
        waits_for: waiting.get(&id).cloned(),
        log: view.log_uri().map(str::to_owned),
    })
}

/// Index of the innermost iteration that a node is, or is within.
fn iteration(state: &RunState, view: &NodeView<'_>) -> Option<u32> {
    let mut index = view.iteration;
    let mut above = view.parent;
    while let (None, Some(id)) = (index, above) {
        let parent = state.node(id)?;
        index = parent.iteration;
        above = parent.parent;
    }
    index
}

fn kind(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Root => "ROOT",
        NodeKind::Dag => "DAG",
        NodeKind::Loop => "LOOP",
        NodeKind::Iteration => "ITERATION",
        NodeKind::Container => "CONTAINER",
        NodeKind::Importer => "IMPORTER",
    }
}

fn values(outputs: &TaskOutputs) -> Values {
    Values { parameters: outputs.parameters.clone(), artifacts: artifacts(&outputs.artifacts) }
}

fn artifacts(named: &Named<Vec<Artifact>>) -> Named<Vec<ArtifactDocument>> {
    let list = |list: &Vec<Artifact>| list.iter().map(artifact).collect();
    named.iter().map(|(name, artifacts)| (name.clone(), list(artifacts))).collect()
}

fn artifact(artifact: &Artifact) -> ArtifactDocument {
    ArtifactDocument {
        id: artifact.id,
        name: artifact.name.clone(),
        artifact_type: artifact.artifact_type.schema_title.clone(),
        uri: artifact.uri.clone(),
        metadata: artifact.metadata.clone(),
        content: artifact.content.clone(),
    }
}

#[cfg(test)]
mod tests {
    use penstock_engine::Pipeline;
    use penstock_spec::check;
    use penstock_spec::limits::Limits;
    use serde_json::json;

    use super::*;

    fn created(namespace: &str) -> (RunInfo, RunState) {
        let text = "{pipelineInfo: {name: p}, schemaVersion: 2.1.0, sdkVersion: kfp-2.17.0, root: {dag: {tasks: {}}}}";
        let pipeline = check::load("p.yaml", text.as_bytes(), &Limits::default()).expect("a valid pipeline");
        let info = RunInfo {
            id: Uuid::from_u128(7),
            name: "p-00007".to_owned(),
            display_name: "First".to_owned(),
            pipeline_name: "p".to_owned(),
            namespace: namespace.to_owned(),
            pipeline_root: "file:///data".to_owned(),
            created_at: Timestamp::UNIX_EPOCH,
            scheduled_at: Timestamp::UNIX_EPOCH,
            caching: true,
            workspace: None,
        };
        (info, RunState::new(Pipeline::compile(&pipeline)))
    }

    #[test]
    fn run_that_was_created_and_never_started_has_its_identity() {
        let (info, state) = created("");
        let options = RunOptions::default();
        let document = json!(RunDocument::new(&info, &options, &state));
        for (member, value) in
            [("run_id", info.id.to_string()), ("name", info.name.clone()), ("state", "PENDING".to_owned())]
        {
            assert_eq!(document[member], json!(value), "{member}");
        }
        assert_eq!((&document["backend"], &document["namespace"]), (&json!("process"), &json!(null)));
    }

    #[test]
    fn run_on_a_cluster_has_a_namespace() {
        let (info, state) = created("team-a");
        let options = RunOptions { backend: BackendKind::Kubernetes, ..RunOptions::default() };
        let document = json!(RunDocument::new(&info, &options, &state));
        assert_eq!((&document["backend"], &document["namespace"]), (&json!("kubernetes"), &json!("team-a")));
    }
}
