//! What the files that only the sidecar sees ask for: plan or data, and the namespace's settings.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use penstock_spec::keys;
use penstock_spec::plan::{PLAN_VERSION, Plan};
use penstock_spec::pod::PlanRef;
use penstock_spec::pod_data::{PodDatum, parse_inputs, parse_outputs};
use penstock_spec::settings::{NamespaceSettings, SETTINGS_VERSION};
use thiserror::Error;

/// The most bytes that all annotations of a Pod can have, and so of any of these files.
const MAX_FILE: u64 = 256 << 10;
/// The most bytes of the namespace's settings: a ConfigMap has no more.
const MAX_SETTINGS: u64 = 1 << 20;
/// The most bytes of a plan in the store.
pub const MAX_PLAN: u64 = 64 << 20;

/// What there is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Assignment {
    /// A task.
    Task(Box<Plan>),
    /// A task whose plan is in the store.
    PlanRef(PlanRef),
    /// Inputs and outputs of a Pod that is no task.
    Data {
        /// Fetched before the process starts.
        inputs: Vec<PodDatum>,
        /// Stored after it has ended well.
        outputs: Vec<PodDatum>,
    },
}

/// A file that cannot be used.
#[derive(Debug, Error)]
pub enum AssignmentError {
    /// The system refused.
    #[error("cannot read {}", path.display())]
    Read {
        /// File.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its content makes no sense.
    #[error("{} is not acceptable: {reason}", path.display())]
    Content {
        /// File.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is nothing to do.
    #[error("{} holds no plan, inputs or outputs: the Pod was not made by Penstock's webhook", .0.display())]
    Nothing(PathBuf),
}

/// Reads what there is to do.
pub fn read_assignment(pod_dir: &Path) -> Result<Assignment, AssignmentError> {
    let content = |name: &str, reason: String| AssignmentError::Content { path: pod_dir.join(name), reason };
    if let Some(bytes) = read_file(&pod_dir.join(keys::POD_PLAN_FILE), MAX_FILE)? {
        let plan = parse_plan(&bytes).map_err(|reason| content(keys::POD_PLAN_FILE, reason))?;
        return Ok(Assignment::Task(Box::new(plan)));
    }
    if let Some(bytes) = read_file(&pod_dir.join(keys::POD_PLAN_REF_FILE), MAX_FILE)? {
        let reference =
            serde_json::from_slice(&bytes).map_err(|error| content(keys::POD_PLAN_REF_FILE, error.to_string()))?;
        return Ok(Assignment::PlanRef(reference));
    }
    let data = |name: &str, parse: fn(&str) -> Result<Vec<PodDatum>, _>| {
        let Some(bytes) = read_file(&pod_dir.join(name), MAX_FILE)? else { return Ok(Vec::new()) };
        let text = String::from_utf8(bytes).map_err(|error| content(name, error.to_string()))?;
        parse(&text).map_err(|error: penstock_spec::pod_data::PodDataError| content(name, error.to_string()))
    };
    let inputs = data(keys::POD_INPUTS_FILE, parse_inputs)?;
    let outputs = data(keys::POD_OUTPUTS_FILE, parse_outputs)?;
    match inputs.is_empty() && outputs.is_empty() {
        true => Err(AssignmentError::Nothing(pod_dir.to_owned())),
        false => Ok(Assignment::Data { inputs, outputs }),
    }
}

/// Reads the namespace's settings.
pub fn read_settings(pod_dir: &Path) -> Result<NamespaceSettings, AssignmentError> {
    let path = pod_dir.join(keys::POD_SETTINGS_FILE);
    let Some(bytes) = read_file(&path, MAX_SETTINGS)? else {
        let reason =
            format!("it is missing or empty: see the ConfigMap {} of the namespace", keys::SETTINGS_CONFIG_MAP);
        return Err(AssignmentError::Content { path, reason });
    };
    let parsed: NamespaceSettings = serde_json::from_slice(&bytes)
        .map_err(|error| AssignmentError::Content { path: path.clone(), reason: error.to_string() })?;
    if parsed.version != SETTINGS_VERSION {
        let reason = format!("it has format {}, and {SETTINGS_VERSION} is supported", parsed.version);
        return Err(AssignmentError::Content { path, reason });
    }
    Ok(parsed)
}

/// Parses a plan, and refuses one of another format. An error is the reason.
pub fn parse_plan(bytes: &[u8]) -> Result<Plan, String> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let plan: Plan = serde_path_to_error::deserialize(&mut reader).map_err(|error| error.to_string())?;
    match plan.version {
        PLAN_VERSION => Ok(plan),
        other => Err(format!("the plan has format {other}, and {PLAN_VERSION} is supported")),
    }
}

/// The content of a file of at most `cap` bytes; none when it is missing or empty.
pub fn read_file(path: &Path, cap: u64) -> Result<Option<Vec<u8>>, AssignmentError> {
    let failed = |source| AssignmentError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(cap + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > cap {
        let reason = format!("it has more than {cap} bytes");
        return Err(AssignmentError::Content { path: path.to_owned(), reason });
    }
    Ok(Some(bytes).filter(|bytes| !bytes.trim_ascii().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i20_files_that_make_no_sense_are_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let read = || read_assignment(directory.path()).map_err(|error| error.to_string());
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("a file");
        assert!(read().expect_err("nothing").contains("no plan, inputs or outputs"));
        write(keys::POD_OUTPUTS_FILE, "/out/a -> s3://bucket/a\n");
        assert!(matches!(read(), Ok(Assignment::Data { inputs, outputs }) if inputs.is_empty() && outputs.len() == 1));
        write(keys::POD_INPUTS_FILE, "s3://bucket/b /in/b");
        assert!(read().expect_err("no arrow").contains("line 1"));
        write(keys::POD_PLAN_REF_FILE, "{}");
        assert!(read().expect_err("no reference").contains("plan-ref is not acceptable: missing field"));
        write(keys::POD_PLAN_FILE, r#"{"version": 7}"#);
        assert!(read().expect_err("no plan").contains("/plan is not acceptable"));
        write(keys::POD_PLAN_FILE, &" ".repeat(300 << 10));
        assert!(read().expect_err("too large").contains("more than 262144 bytes"));
        assert!(read_settings(directory.path()).expect_err("none").to_string().contains("penstock-settings"));
    }
}
