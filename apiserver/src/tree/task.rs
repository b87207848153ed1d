//! A task in full: the node, what it took and gave, and what it runs.

use std::collections::BTreeMap;

use penstock_engine::{NodeId, RunState};
use penstock_spec::artifact::Artifact;
use penstock_spec::ir::{ContainerSpec, EnvVar, Named};
use penstock_spec::plan::{Plan, PlanInputs};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{NodeDocument, Pods};
use crate::folded::FoldedRun;
use crate::routes::described_artifact;

/// A node with all that is known of it.
#[derive(Debug, Serialize)]
pub(crate) struct TaskDocument<'a> {
    #[serde(flatten)]
    node: NodeDocument<'a>,
    inputs: Values,
    outputs: Values,
    #[serde(flatten)]
    runs: Runs,
    pod_names: Vec<String>,
}

/// What a task runs; nothing where it runs no container.
#[derive(Debug, Default, Serialize)]
struct Runs {
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    command: Vec<String>,
    env: Vec<EnvVar>,
}

/// Parameters and artifacts by name.
#[derive(Debug, Serialize)]
struct Values {
    parameters: Map<String, Value>,
    artifacts: BTreeMap<String, Vec<Value>>,
}

impl<'a> TaskDocument<'a> {
    /// Nothing for a node that is not there.
    pub(crate) fn new(folded: &'a FoldedRun, state: &'a RunState, id: NodeId, pods: &Pods) -> Option<TaskDocument<'a>> {
        let view = state.node(id)?;
        let node = NodeDocument::new(folded, state, id, pods)?;
        let pod_names = node.pod_names();
        let outputs = view.outputs();
        let outputs = Values { parameters: outputs.parameters.clone(), artifacts: artifacts(&outputs.artifacts) };
        let plan = view.container().filter(|_| view.has_inputs()).and_then(|_| state.plan(id));
        let (inputs, runs) = match plan {
            Some(plan) => of_plan(plan),
            None => (values(view.inputs()), view.container().map(declared).unwrap_or_default()),
        };
        Some(TaskDocument { node, inputs, outputs, runs, pod_names })
    }
}

/// What a task that has started took and runs.
fn of_plan(plan: Plan) -> (Values, Runs) {
    let command = plan.known_argv();
    let mut parameters = plan.defaults;
    parameters.extend(plan.inputs.parameters);
    let inputs = values(PlanInputs { parameters, artifacts: plan.inputs.artifacts });
    (inputs, Runs { image: Some(plan.image), command, env: plan.env })
}

/// What a task is to run that has not started: its placeholders stay as they are.
fn declared(container: &ContainerSpec) -> Runs {
    let command = container.command.iter().chain(&container.args).cloned().collect();
    Runs { image: Some(container.image.clone()), command, env: container.env.clone() }
}

fn values(inputs: PlanInputs) -> Values {
    Values { artifacts: artifacts(&inputs.artifacts), parameters: inputs.parameters }
}

fn artifacts(named: &Named<Vec<Artifact>>) -> BTreeMap<String, Vec<Value>> {
    let list = |list: &Vec<Artifact>| list.iter().map(|artifact| described_artifact(artifact).into()).collect();
    named.iter().map(|(name, artifacts)| (name.clone(), list(artifacts))).collect()
}
