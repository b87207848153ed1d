//! What the platform settings of a task (`kfp-kubernetes`) make of its Pod. Pure: settings and what their values came to
//! in, a value out that is put onto the Pod. The same function judges a pipeline when it is submitted: then only constants
//! are known, and what depends on other values is left for later.

mod apply;
mod environment;
mod init;
mod metadata;
mod names;
mod passthrough;
mod scheduling;
mod security;
mod submission;
#[cfg(test)]
mod tests;
mod values;
mod volumes;

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::{Affinity, Container, EnvVar, Toleration, Volume, VolumeMount};
use penstock_spec::platform::KubernetesExecutorConfig;
use penstock_spec::settings::RunAs;
use serde::Serialize;
use thiserror::Error;

pub(crate) use submission::check_submission;
pub use submission::{PlatformError, PlatformErrors};
pub(crate) use values::Values;

/// Problems that are shown of one task.
const SHOWN_PROBLEMS: usize = 5;

/// What is added to the Pod of a task.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PodShape {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    /// Variables of the user's container, each name once.
    pub(crate) environment: Vec<EnvVar>,
    /// Secrets, config maps and volume claims.
    pub(crate) objects: Mounted,
    /// Volumes that come and go with the Pod.
    pub(crate) scratch: Mounted,
    pub(crate) node_selector: Option<BTreeMap<String, String>>,
    pub(crate) tolerations: Vec<Toleration>,
    pub(crate) affinity: Option<Affinity>,
    pub(crate) pull_secrets: Vec<String>,
    pub(crate) run_as: RunAs,
    pub(crate) init_containers: Vec<Container>,
    /// What the author ought to know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
}

/// Volumes, and where the user's container sees them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Mounted {
    pub(crate) volumes: Vec<Volume>,
    pub(crate) mounts: Vec<VolumeMount>,
}

/// What the Pod has whatever its settings say.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Surroundings<'a> {
    /// Secrets that open the namespace's object stores: they are the launcher's, and no user code's.
    pub(crate) store_secrets: &'a [String],
    /// Whether authorities of the installation are mounted.
    pub(crate) has_authorities: bool,
    /// Whether the token of an account of the task's own is mounted.
    pub(crate) has_account: bool,
}

/// A setting that no Pod can have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: {reason}")]
pub(crate) struct ShapeError {
    /// The field below the executor's settings, such as `secretAsVolume[0].mountPath`.
    pub(crate) field: String,
    pub(crate) reason: String,
}

/// All settings of a task that no Pod can have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) struct ShapeErrors(pub(crate) Vec<ShapeError>);

impl fmt::Display for ShapeErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().take(SHOWN_PROBLEMS).enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{error}")?;
        }
        match self.0.len().saturating_sub(SHOWN_PROBLEMS) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// What the settings of a task make of its Pod.
pub(crate) fn shape(
    config: &KubernetesExecutorConfig,
    values: Values<'_>,
    surroundings: Surroundings<'_>,
) -> Result<PodShape, ShapeErrors> {
    let mut shaper = Shaper { config, values, surroundings, errors: Vec::new(), warnings: Vec::new() };
    let (labels, annotations) = shaper.metadata();
    let volumes = shaper.volumes();
    let init_containers = shaper.init_containers(&volumes);
    let (objects, scratch) = volumes.into_parts();
    let shape = PodShape {
        labels,
        annotations,
        environment: shaper.environment(),
        objects,
        scratch,
        node_selector: shaper.node_selector(),
        tolerations: shaper.tolerations(),
        affinity: shaper.affinity(),
        pull_secrets: shaper.pull_secrets(),
        run_as: shaper.run_as(),
        init_containers,
        warnings: Vec::new(),
    };
    shaper.check_pull_policy();
    match shaper.errors.is_empty() {
        true => Ok(PodShape { warnings: shaper.warnings, ..shape }),
        false => Err(ShapeErrors(shaper.errors)),
    }
}

/// Goes through the settings of a task and collects what is wrong with them.
struct Shaper<'a> {
    config: &'a KubernetesExecutorConfig,
    values: Values<'a>,
    surroundings: Surroundings<'a>,
    errors: Vec<ShapeError>,
    warnings: Vec<String>,
}

impl Shaper<'_> {
    fn error(&mut self, field: impl Into<String>, reason: impl Into<String>) {
        self.errors.push(ShapeError { field: field.into(), reason: reason.into() });
    }
}

/// Nothing where the list is empty.
fn listed<T>(items: Vec<T>) -> Option<Vec<T>> {
    (!items.is_empty()).then_some(items)
}

/// Nothing where the text is empty.
fn stated(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
