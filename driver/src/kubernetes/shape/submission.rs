//! What can be said of the settings when a pipeline is submitted.

use std::fmt;

use penstock_spec::check::CheckedPipeline;
use penstock_spec::keys;
use penstock_spec::platform::KubernetesExecutorConfig;
use thiserror::Error;

use super::{Surroundings, Values, shape};
use crate::cluster_only::{tasks_by_executor, write_tasks};

/// Settings of tasks that no Pod can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformError {
    /// Which, and why not.
    pub problem: String,
    /// Tasks that have them, in order.
    pub tasks: Vec<String>,
}

/// All settings of a pipeline that no Pod can have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct PlatformErrors(pub Vec<PlatformError>);

impl fmt::Display for PlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)?;
        write_tasks(f, &self.tasks)
    }
}

impl fmt::Display for PlatformErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pipeline's settings for Kubernetes are wrong: ")?;
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

/// Finds settings that no Pod can have whatever the run brings. What depends on the run is judged before the Pod of its
/// task is made.
pub(crate) fn check_submission(
    pipeline: &CheckedPipeline,
    store_secrets: &[String],
    has_authorities: bool,
) -> Result<(), PlatformErrors> {
    let by_executor = tasks_by_executor(pipeline);
    let mut errors = Vec::new();
    let executors = pipeline.platform.iter().flat_map(|platform| &platform.kubernetes.deployment_spec.executors);
    for (label, config) in executors {
        let Some(tasks) = by_executor.get(label.as_str()) else { continue };
        let surroundings = Surroundings { store_secrets, has_authorities, has_account: asks_for_account(config) };
        if let Err(problems) = shape(config, Values::Submitted, surroundings) {
            let tasks = tasks.iter().map(|&task| task.to_owned()).collect();
            errors.push(PlatformError { problem: problems.to_string(), tasks });
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(PlatformErrors(errors)) }
}

fn asks_for_account(config: &KubernetesExecutorConfig) -> bool {
    let metadata = config.pod_metadata.as_ref();
    metadata.is_some_and(|metadata| metadata.annotations.contains_key(keys::ANNOTATION_SERVICE_ACCOUNT))
}
