//! One DAG: its tasks among each other, and where its outputs come from.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checker, Findings, cycle, name};
use crate::ir::{ComponentSpec, DagOutputParameter, DagSpec, ParameterSource, TaskSpec};

/// A DAG with the component whose inputs its tasks see.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a, 'p> {
    pub(super) checker: Checker<'a>,
    pub(super) path: &'p str,
    pub(super) component: &'a ComponentSpec,
    pub(super) dag: &'a DagSpec,
}

impl<'a> Scope<'a, '_> {
    pub(super) fn check(self, findings: &mut Findings) {
        for (key, task) in &self.dag.tasks {
            let path = format!("{}.dag.tasks.{key}", self.path);
            if let Some(reason) = name::segment_fault(key, self.checker.limits) {
                findings.problem(path.as_str(), format!("the name {key:?} {reason}"));
            }
            self.check_task(&path, task, findings);
        }
        self.check_outputs(findings);
        let edges = self.dag.tasks.iter().map(|(key, task)| (key.as_str(), self.dependencies(task))).collect();
        if let Some(cycle) = cycle::find(&edges) {
            let names: Vec<String> = cycle.iter().map(|name| format!("{name:?}")).collect();
            let path = format!("{}.dag.tasks.{}", self.path, cycle.first().copied().unwrap_or_default());
            findings.problem(path, format!("tasks wait for each other: {}", names.join(" needs ")));
        }
    }

    /// The component of a task; `None` when it is missing, which is reported elsewhere.
    pub(super) fn component_of(self, task: &TaskSpec) -> Option<&'a ComponentSpec> {
        self.checker.spec.components.get(&task.component_ref.name)
    }

    /// Siblings that a task needs.
    fn dependencies(self, task: &'a TaskSpec) -> BTreeSet<&'a str> {
        let mut found: BTreeSet<&str> = task.dependent_tasks.iter().map(String::as_str).collect();
        for input in task.inputs.parameters.values() {
            if let ParameterSource::TaskOutput { task, .. } = &input.source {
                found.insert(task);
            }
        }
        for input in task.inputs.artifacts.values() {
            if let crate::ir::ArtifactInput::TaskOutputArtifact(output) = input {
                found.insert(&output.producer_task);
            }
        }
        for (_, parameter) in self.platform_parameters(task) {
            if let ParameterSource::TaskOutput { task, .. } = parameter.source
                && let Some((key, _)) = self.dag.tasks.get_key_value(&task)
            {
                found.insert(key);
            }
        }
        found
    }

    fn check_outputs(self, findings: &mut Findings) {
        let outputs: BTreeMap<&String, Vec<(&String, &String)>> = self
            .dag
            .outputs
            .parameters
            .iter()
            .map(|(name, output)| {
                let selectors = match output {
                    DagOutputParameter::ValueFromParameter(selector) => std::slice::from_ref(selector),
                    DagOutputParameter::ValueFromOneof(candidates) => candidates.parameter_selectors.as_slice(),
                };
                (name, selectors.iter().map(|one| (&one.producer_subtask, &one.output_parameter_key)).collect())
            })
            .collect();
        for (name, selectors) in outputs {
            let path = format!("{}.dag.outputs.parameters.{name}", self.path);
            if !self.component.output_definitions.parameters.contains_key(name) {
                findings.warning(&path, "the component does not declare this output");
            }
            self.check_selectors(&path, &selectors, "parameter", findings);
        }
        for (name, output) in &self.dag.outputs.artifacts {
            let path = format!("{}.dag.outputs.artifacts.{name}", self.path);
            if !self.component.output_definitions.artifacts.contains_key(name) {
                findings.warning(&path, "the component does not declare this output");
            }
            let selectors = output.artifact_selectors.iter();
            let selectors: Vec<_> = selectors.map(|one| (&one.producer_subtask, &one.output_artifact_key)).collect();
            self.check_selectors(&path, &selectors, "artifact", findings);
        }
    }

    fn check_selectors(self, path: &str, selectors: &[(&String, &String)], kind: &str, findings: &mut Findings) {
        if selectors.is_empty() {
            findings.problem(path, "the output is taken from no task");
        }
        for (producer, output) in selectors {
            self.check_producer(path, producer, output, kind, findings);
        }
    }

    /// Checks a reference to an output of a task of this DAG.
    pub(super) fn check_producer(self, path: &str, producer: &str, output: &str, kind: &str, findings: &mut Findings) {
        let Some(task) = self.dag.tasks.get(producer) else {
            findings.problem(path, format!("unknown producer task {producer:?}"));
            return;
        };
        let Some(component) = self.component_of(task) else { return };
        let outputs = &component.output_definitions;
        let declared = match kind {
            "parameter" => outputs.parameters.contains_key(output),
            _ => outputs.artifacts.contains_key(output),
        };
        if !declared {
            let component = &task.component_ref.name;
            let message =
                format!("task {producer:?} has no output {kind} {output:?}: component {component:?} declares none");
            findings.problem(path, message);
        }
    }
}
