//! What injection adds to a Pod: a pure function from the Pod, the configuration and the namespace's settings to a JSON
//! patch. It works on raw JSON, so that fields newer than any library survive, and compares what is there with what
//! ought to be there, so that it may be asked again at any time: about its own result (nothing is left to do), or about
//! that result after others have changed it (only what is ours is put right).
//!
//! `testdata/` beside the sources holds pairs of Pods and patches.

mod argv;
mod collisions;
mod data;
mod delivery;
mod error;
mod layout;
mod mount;
mod patch;
mod paths;
mod pod;
mod sidecar;
mod task;
#[cfg(test)]
mod tests;
mod wanted;

use penstock_spec::keys;
use penstock_spec::settings::NamespaceSettings;
use serde_json::Value;

pub use delivery::EntryDelivery;
pub use error::InjectError;
pub use patch::Operation;

use pod::PodView;
use wanted::Wanted;

/// Long enough for terabytes; what it bounds is the wait for a launcher that never comes back.
pub const DEFAULT_HOLD_SECONDS: u64 = 6 * 3600;

/// What is injected, from the operator's configuration and nothing else (T-23).
#[derive(Debug, Clone)]
pub struct InjectConfig {
    /// Image with the launcher and the entry.
    pub launcher_image: String,
    /// `Always`, `IfNotPresent` or `Never`; Kubernetes' default when absent.
    pub pull_policy: Option<String>,
    /// What the sidecar may use.
    pub resources: LauncherResources,
    /// UID of the sidecar; left to the platform or the image when absent.
    pub run_as_user: Option<i64>,
    /// The most seconds that the user's container is held after its program's end, while its outputs are stored.
    pub hold_seconds: u64,
    /// Variables of the sidecar that change how it works, such as [`keys::ENV_LAUNCHER_LOG`].
    pub environment: Vec<(&'static str, String)>,
}

impl InjectConfig {
    /// The defaults around an image.
    pub fn new(launcher_image: impl Into<String>) -> InjectConfig {
        InjectConfig {
            launcher_image: launcher_image.into(),
            pull_policy: None,
            resources: LauncherResources::default(),
            run_as_user: Some(65532),
            hold_seconds: DEFAULT_HOLD_SECONDS,
            environment: Vec::new(),
        }
    }
}

/// What the sidecar may use. It has no limit on the CPU unless one is given: it works for moments only, and those
/// delay what the user waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LauncherResources {
    /// CPU that is set aside.
    pub cpu_request: String,
    /// The most CPU.
    pub cpu_limit: Option<String>,
    /// Memory that is set aside.
    pub memory_request: String,
    /// The most memory.
    pub memory_limit: String,
    /// CPU, set aside and at most, in a Pod whose containers all get exactly what they request (`Guaranteed`), which
    /// it must stay.
    pub guaranteed_cpu: String,
}

impl Default for LauncherResources {
    fn default() -> Self {
        LauncherResources {
            cpu_request: "10m".to_owned(),
            cpu_limit: None,
            memory_request: "64Mi".to_owned(),
            memory_limit: "128Mi".to_owned(),
            guaranteed_cpu: "250m".to_owned(),
        }
    }
}

/// What a decision needs beside the Pod.
#[derive(Debug, Clone, Copy)]
pub struct InjectContext<'a> {
    /// The operator's configuration.
    pub config: &'a InjectConfig,
    /// Where the Pod is created; the Pod itself may not say.
    pub namespace: &'a str,
    /// Settings of that namespace, once they are known.
    pub settings: Option<&'a NamespaceSettings>,
    /// How the entry gets into Pods that have none yet. It follows from the cluster's nodes, so it may change between two
    /// reviews of the same Pod.
    pub delivery: EntryDelivery,
}

/// What is to be done about a Pod.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Change it.
    Patch {
        /// In this order.
        operations: Vec<Operation>,
        /// What the user ought to know.
        warnings: Vec<String>,
    },
    /// Leave it alone, and why.
    Skip {
        /// For the user.
        reason: String,
    },
    /// It has all that injection adds.
    AlreadyInjected,
}

/// Decides about a Pod that is to be created.
pub fn inject(pod: &Value, context: &InjectContext<'_>) -> Result<Decision, InjectError> {
    let view = PodView::new(pod)?;
    if view.annotation("kubernetes.io/config.mirror").is_some() {
        return Ok(skip("the launcher is not put into a static Pod"));
    }
    let wanted = match view.label(keys::LABEL_INJECT) {
        Some(keys::INJECT_TASK) => task::wanted(&view, context)?,
        Some(keys::INJECT_ENABLED) if view.is_windows() => {
            return Ok(skip("the launcher is not put into Pods for Windows: spec.os.name"));
        }
        Some(keys::INJECT_ENABLED) => match data::wanted(&view, context)? {
            Some(wanted) => wanted,
            None => return Ok(skip(&nothing_asked())),
        },
        _ => return Ok(skip(&not_asked())),
    };
    collisions::check(&view, &wanted)?;
    decide(&view, &wanted)
}

fn decide(view: &PodView<'_>, wanted: &Wanted) -> Result<Decision, InjectError> {
    let operations = wanted.patch(view)?;
    if operations.is_empty() {
        return Ok(Decision::AlreadyInjected);
    }
    Ok(Decision::Patch { operations, warnings: wanted.warnings.clone() })
}

fn skip(reason: &str) -> Decision {
    Decision::Skip { reason: reason.to_owned() }
}

fn nothing_asked() -> String {
    format!(
        "no launcher was injected: the label {}={} asks for it, but neither annotation {} nor {} names anything",
        keys::LABEL_INJECT,
        keys::INJECT_ENABLED,
        keys::ANNOTATION_INPUTS,
        keys::ANNOTATION_OUTPUTS,
    )
}

fn not_asked() -> String {
    format!(
        "no launcher was injected: the label {} is neither {} nor {}",
        keys::LABEL_INJECT,
        keys::INJECT_ENABLED,
        keys::INJECT_TASK,
    )
}
