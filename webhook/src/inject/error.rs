//! Why a Pod is denied. The text reaches whoever created the Pod.

use penstock_spec::keys;
use penstock_spec::pod_data::PodDataError;
use penstock_spec::uri::UriError;

/// A denial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum InjectError {
    #[error(
        "namespace {namespace} has no settings yet (ConfigMap {}): the driver writes them within seconds of the label \
         {}={}",
        keys::SETTINGS_CONFIG_MAP,
        keys::LABEL_NAMESPACE,
        keys::NAMESPACE_ENABLED
    )]
    NoSettings { namespace: String },
    #[error(
        "the settings of namespace {namespace} cannot be used (ConfigMap {}, key {}): {reason}",
        keys::SETTINGS_CONFIG_MAP,
        keys::POD_SETTINGS_FILE
    )]
    BadSettings { namespace: String, reason: String },
    #[error("the Pod cannot be read: {path} is not {expected}")]
    Malformed { path: String, expected: &'static str },
    #[error("the Pod has no container {name:?}: {remedy}")]
    NoContainer { name: String, remedy: &'static str },
    #[error("the Pod has no container")]
    NoContainers,
    #[error("container {container}: command and arguments are empty")]
    EmptyCommand { container: String },
    #[error(
        "container {container} has no `command`: write out the program to start (the ENTRYPOINT of an image cannot be \
         seen at admission, and the launcher must start it)"
    )]
    NoCommand { container: String },
    #[error("the task's Pod has neither annotation {} nor {}", keys::ANNOTATION_PLAN, keys::ANNOTATION_PLAN_REF)]
    NoPlan,
    #[error("spec.{field} is set: the processes of the user would see those of the launcher, which holds credentials")]
    SharedProcesses { field: &'static str },
    #[error("a task's Pod cannot run on Windows: spec.os.name")]
    Windows,
    #[error(
        "{what} {name:?}: names that begin with {:?} are reserved for what is injected",
        keys::RESERVED_NAME_PREFIX
    )]
    ReservedName { what: &'static str, name: String },
    #[error(
        "container {container} mounts {path:?}: paths at and below {} are reserved for what is injected",
        keys::RESERVED_MOUNT
    )]
    ReservedMount { container: String, path: String },
    #[error("container {container} mounts volume {volume:?}, which injection adds for the launcher only")]
    ReservedVolume { container: String, volume: String },
    #[error("annotation {annotation}: {reason}")]
    Data { annotation: &'static str, reason: PodDataError },
    #[error(
        "{uri} is not allowed in namespace {namespace}: allowed is what lies at or below {allowed} (annotation {} of the \
         Namespace; the driver copies it to ConfigMap {}, key {})",
        keys::ANNOTATION_ALLOWED_PREFIXES,
        keys::SETTINGS_CONFIG_MAP,
        keys::POD_SETTINGS_FILE
    )]
    NotAllowed { uri: String, namespace: String, allowed: String },
    #[error("the output {path:?} goes to {uri}, which is a whole bucket: name a key in it, such as {uri}/NAME")]
    NoKey { path: String, uri: String },
    #[error("the manifest of the outputs, which is stored beside the first of them, cannot be: {0}")]
    Manifest(UriError),
    #[error(
        "the manifest of the outputs is stored beside the first of them, at {manifest}, which is not allowed in namespace \
         {namespace}: allowed is what lies at or below {allowed}; name an output first that lies below"
    )]
    ManifestNotAllowed { manifest: String, namespace: String, allowed: String },
    #[error("the output {uri} lies in, around or at {other}, {what}: give each output a URI of its own")]
    SharedUri { uri: String, other: String, what: &'static str },
    #[error(
        "annotation {} needs `restartPolicy: Never`: a container that is started again would overwrite what was \
         uploaded",
        keys::ANNOTATION_OUTPUTS
    )]
    RestartPolicy,
    #[error("the input {input:?} and the output {output:?} overlap: give each a directory of its own")]
    Overlap { input: String, output: String },
    #[error("the path {path:?} is reserved for what is injected: choose another one")]
    ReservedPath { path: String },
    #[error(
        "{path:?} needs a volume at {directory:?}, which would hide the image's own files: put it into a directory of \
         its own, such as /data"
    )]
    SystemDirectory { path: String, directory: String },
    #[error(
        "{path:?} needs a volume at {directory:?}, which would hide the program {program:?}: put it into a directory of \
         its own, such as /data"
    )]
    HidesProgram { path: String, directory: String, program: String },
    #[error("{path:?} is where volume {volume:?} is mounted: if it is a directory, end it with a slash")]
    MountIsPath { path: String, volume: String },
    #[error("{path:?} lies in volume {volume:?}, which is mounted read-only in container {container}")]
    ReadOnlyMount { path: String, volume: String, container: String },
    #[error("{path:?} lies in volume {volume:?}, which the launcher cannot share: it is {kind}")]
    UnsharedVolume { path: String, volume: String, kind: String },
    #[error("{path:?} lies in volume {volume:?}, which is mounted with subPathExpr: use subPath, or another directory")]
    SubPathExpr { path: String, volume: String },
    #[error("volume {volume:?} is mounted at {mount:?}, within {path:?}: name what lies there on a line of its own")]
    MountWithin { path: String, mount: String, volume: String },
}

impl InjectError {
    /// HTTP status of the denial. 503 means that asking again helps.
    pub fn code(&self) -> u16 {
        match self {
            InjectError::NoSettings { .. } | InjectError::BadSettings { .. } => 503,
            InjectError::Malformed { .. } => 400,
            InjectError::NotAllowed { .. } | InjectError::ManifestNotAllowed { .. } => 403,
            _ => 422,
        }
    }
}
