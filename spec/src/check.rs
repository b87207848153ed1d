//! Judges a pipeline at submission: everything that can be known to fail before anything runs is found here, and each
//! problem names its field.
//!
//! Only components that the root reaches are judged: what is never used cannot fail. What may fail, but need not,
//! is a warning: KFP checks types of values, not of declarations, and a task may never run. No algorithm here
//! recurses.
//!
//! Names are kept exactly as they are. Where a name must fit another alphabet (names of Pods, say), the mapping is
//! injective, so two tasks may well have names that differ only in characters that the other alphabet lacks. Refused
//! are names that are empty or too long, and those that cannot be one segment of an object key.

mod cycle;
mod dag;
mod executor;
mod name;
mod reach;
mod task;

use std::fmt;
use std::sync::Arc;

use crate::ir::{ComponentSpec, Named, ParameterType, PipelineSpec};
use crate::limits::Limits;
use crate::package::{self, PackageError};
use crate::parse::{self, Documents, ParseError};
use crate::platform::PlatformSpec;

/// A pipeline that can be run. Only [`check`] makes one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CheckedPipeline {
    /// The pipeline.
    pub spec: Arc<PipelineSpec>,
    /// Its settings for Kubernetes.
    pub platform: Option<Arc<PlatformSpec>>,
    /// What was ignored or is suspicious, for people.
    pub warnings: Vec<String>,
}

/// Something that makes a pipeline impossible to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field, such as `root.dag.tasks.train.inputs.parameters.x`.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.path, name::shown(&self.message))
    }
}

/// Why a file holds no pipeline that can be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be unpacked.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The text could not be read.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The pipeline is wrong; one problem a line.
    #[error("{}", lines(.0))]
    Check(Vec<Problem>),
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// The only schema version there is.
const SCHEMA_VERSION: &str = "2.1.0";

/// Judges what was parsed.
pub fn check(documents: Documents, limits: &Limits) -> Result<CheckedPipeline, Vec<Problem>> {
    let Documents { pipeline, platform, warnings, .. } = documents;
    let mut findings = Findings { problems: Vec::new(), warnings, limit: limits.problems };
    Checker { spec: &pipeline, platform: platform.as_ref(), limits }.check(&mut findings);
    if !findings.problems.is_empty() {
        return Err(findings.problems);
    }
    Ok(CheckedPipeline { spec: Arc::new(pipeline), platform: platform.map(Arc::new), warnings: findings.warnings })
}

/// What the check has found.
struct Findings {
    problems: Vec<Problem>,
    warnings: Vec<String>,
    limit: usize,
}

impl Findings {
    fn problem(&mut self, path: impl Into<String>, message: impl Into<String>) {
        if self.problems.len() < self.limit {
            self.problems.push(Problem { path: name::shown(&path.into()), message: message.into() });
        }
    }

    fn warning(&mut self, path: &str, message: &str) {
        if self.warnings.len() < self.limit {
            self.warnings.push(format!("{}: {message}", name::shown(path)));
        }
    }
}

/// What everything is judged against.
#[derive(Clone, Copy)]
struct Checker<'a> {
    spec: &'a PipelineSpec,
    platform: Option<&'a PlatformSpec>,
    limits: &'a Limits,
}

impl<'a> Checker<'a> {
    fn check(self, findings: &mut Findings) {
        self.check_header(findings);
        self.check_root(findings);
        if !findings.problems.is_empty() {
            return;
        }
        let reached = reach::components(self.spec, self.limits, findings);
        for (path, component) in reached {
            self.check_component(&path, component, findings);
        }
    }

    fn check_header(self, findings: &mut Findings) {
        let spec = self.spec;
        let name = &spec.pipeline_info.name;
        if spec.schema_version != SCHEMA_VERSION {
            let version = &spec.schema_version;
            let message = format!(
                "KFP only supports schema version {SCHEMA_VERSION}, but the pipeline spec has version {version:?}; \
                 compile the pipeline with kfp 2.x"
            );
            findings.problem("schemaVersion", message);
        }
        if name.is_empty() {
            findings.problem("pipelineInfo.name", "invalid v2 pipeline spec: name is empty");
        } else if let Some(reason) = name::pipeline_fault(name, self.limits) {
            let message = format!(
                "invalid v2 pipeline spec: name should consist of lower case alphanumeric characters, '-' or '.', \
                 but {name:?} {reason}"
            );
            findings.problem("pipelineInfo.name", message);
        }
    }

    fn check_root(self, findings: &mut Findings) {
        let root = &self.spec.root;
        if *root == ComponentSpec::default() {
            findings.problem("root", "invalid v2 pipeline spec: root component is empty");
        } else if root.dag.is_none() {
            findings.problem("root", "the root component must be a dag");
        }
        // Such a pipeline can be stored and used within others; as a run of its own it is refused with its parameters.
        for (name, parameter) in &root.input_definitions.parameters {
            if parameter.parameter_type == ParameterType::TaskFinalStatus && !parameter.is_optional {
                let message = "type TASK_FINAL_STATUS is invalid for a root component: no run can give it a value";
                findings.warning(&format!("root.inputDefinitions.parameters.{name}"), message);
            }
        }
    }

    fn check_component(self, path: &str, component: &'a ComponentSpec, findings: &mut Findings) {
        self.check_interface(path, component, findings);
        match (&component.dag, &component.executor_label) {
            (Some(_), Some(_)) => findings.problem(path, "a component is either a dag or an executor, not both"),
            (None, None) => findings.problem(path, "a component needs a dag or an executorLabel"),
            (Some(dag), None) => dag::Scope { checker: self, path, component, dag }.check(findings),
            (None, Some(label)) => self.check_executor(path, label, findings),
        }
    }

    fn check_interface(self, path: &str, component: &ComponentSpec, findings: &mut Findings) {
        let (inputs, outputs) = (&component.input_definitions, &component.output_definitions);
        self.check_names(&format!("{path}.inputDefinitions.parameters"), &inputs.parameters, name::fault, findings);
        self.check_names(&format!("{path}.inputDefinitions.artifacts"), &inputs.artifacts, name::fault, findings);
        let outputs_path = format!("{path}.outputDefinitions");
        self.check_names(&format!("{outputs_path}.parameters"), &outputs.parameters, name::segment_fault, findings);
        self.check_names(&format!("{outputs_path}.artifacts"), &outputs.artifacts, name::artifact_fault, findings);
    }

    fn check_names<T>(
        self,
        path: &str,
        named: &Named<T>,
        fault: fn(&str, &Limits) -> Option<&'static str>,
        findings: &mut Findings,
    ) {
        for name in named.keys() {
            if let Some(reason) = fault(name, self.limits) {
                findings.problem(format!("{path}.{name}"), format!("the name {name:?} {reason}"));
            }
        }
    }
}

/// Unpacks, reads and judges a file.
pub fn load(file_name: &str, bytes: &[u8], limits: &Limits) -> Result<CheckedPipeline, LoadError> {
    let package = package::unpack(file_name, bytes, limits)?;
    let documents = parse::parse(&package.pipeline_text, limits)?;
    check(documents, limits).map_err(LoadError::Check)
}

#[cfg(test)]
mod tests;
