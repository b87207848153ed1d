//! Reads a Pod's raw JSON. Missing and null are the same; what has the wrong type is an error that names its place.

use serde_json::{Map, Value};

use super::error::InjectError;

/// The parts of a Pod that injection looks at.
#[derive(Debug)]
pub(super) struct PodView<'a> {
    pub(super) spec: &'a Map<String, Value>,
    pub(super) containers: Vec<ContainerView<'a>>,
    pub(super) init_containers: Vec<ContainerView<'a>>,
    pub(super) ephemeral_containers: Vec<ContainerView<'a>>,
    pub(super) volumes: Vec<VolumeView<'a>>,
    labels: Option<&'a Map<String, Value>>,
    pub(super) annotations: Option<&'a Map<String, Value>>,
    pub(super) has_metadata: bool,
}

/// A container of any kind.
#[derive(Debug)]
pub(super) struct ContainerView<'a> {
    pub(super) value: &'a Map<String, Value>,
    pub(super) name: &'a str,
    pub(super) command: &'a [Value],
    pub(super) args: &'a [Value],
    pub(super) mounts: Vec<MountView<'a>>,
}

/// A mount of a volume.
#[derive(Debug)]
pub(super) struct MountView<'a> {
    pub(super) value: &'a Map<String, Value>,
    pub(super) volume: &'a str,
    /// As it is written.
    pub(super) path: &'a str,
}

/// A volume.
#[derive(Debug)]
pub(super) struct VolumeView<'a> {
    pub(super) value: &'a Map<String, Value>,
    pub(super) name: &'a str,
}

impl<'a> PodView<'a> {
    pub(super) fn new(pod: &'a Value) -> Result<PodView<'a>, InjectError> {
        let pod = pod.as_object().ok_or_else(|| malformed("the Pod", "an object"))?;
        let spec = object(pod, "spec", "")?.ok_or_else(|| malformed("spec", "an object"))?;
        let metadata = object(pod, "metadata", "")?;
        let meta = |key| metadata.map(|metadata| object(metadata, key, "metadata.")).transpose();
        Ok(PodView {
            spec,
            containers: containers(spec, "containers")?,
            init_containers: containers(spec, "initContainers")?,
            ephemeral_containers: containers(spec, "ephemeralContainers")?,
            volumes: volumes(spec)?,
            labels: meta("labels")?.flatten(),
            annotations: meta("annotations")?.flatten(),
            has_metadata: metadata.is_some(),
        })
    }

    pub(super) fn label(&self, key: &str) -> Option<&'a str> {
        self.labels?.get(key)?.as_str()
    }

    pub(super) fn annotation(&self, key: &str) -> Option<&'a str> {
        self.annotations?.get(key)?.as_str()
    }

    pub(super) fn is_set(&self, field: &str) -> bool {
        self.spec.get(field).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(super) fn is_windows(&self) -> bool {
        self.spec.get("os").and_then(|os| os.get("name")).and_then(Value::as_str) == Some("windows")
    }

    /// Position of a container.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.containers.iter().position(|container| container.name == name)
    }

    /// All containers, whatever their kind.
    pub(super) fn all_containers(&self) -> impl Iterator<Item = &ContainerView<'a>> {
        self.init_containers.iter().chain(&self.containers).chain(&self.ephemeral_containers)
    }

    pub(super) fn deadline_seconds(&self) -> Option<u64> {
        self.spec.get("activeDeadlineSeconds").and_then(Value::as_u64)
    }

    pub(super) fn grace_seconds(&self) -> Option<i64> {
        self.spec.get("terminationGracePeriodSeconds").and_then(Value::as_i64)
    }
}

impl<'a> ContainerView<'a> {
    fn new(value: &'a Value, path: &str) -> Result<ContainerView<'a>, InjectError> {
        let value = value.as_object().ok_or_else(|| malformed(path, "an object"))?;
        let prefix = format!("{path}.");
        let mounts = list(value, "volumeMounts", &prefix)?;
        let mounts = mounts.iter().enumerate().map(|(index, mount)| {
            let path = format!("{path}.volumeMounts[{index}]");
            let value = mount.as_object().ok_or_else(|| malformed(&path, "an object"))?;
            let text = |key| string(value, key, &format!("{path}."));
            Ok(MountView { value, volume: text("name")?, path: text("mountPath")? })
        });
        Ok(ContainerView {
            value,
            name: string(value, "name", &prefix)?,
            command: list(value, "command", &prefix)?,
            args: list(value, "args", &prefix)?,
            mounts: mounts.collect::<Result<_, InjectError>>()?,
        })
    }

    pub(super) fn text(&self, field: &str) -> Option<&'a str> {
        self.value.get(field).and_then(Value::as_str)
    }
}

impl MountView<'_> {
    pub(super) fn is_read_only(&self) -> bool {
        self.value.get("readOnly").and_then(Value::as_bool).unwrap_or(false)
    }
}

fn containers<'a>(spec: &'a Map<String, Value>, field: &str) -> Result<Vec<ContainerView<'a>>, InjectError> {
    let items = list(spec, field, "spec.")?.iter().enumerate();
    items.map(|(index, container)| ContainerView::new(container, &format!("spec.{field}[{index}]"))).collect()
}

fn volumes<'a>(spec: &'a Map<String, Value>) -> Result<Vec<VolumeView<'a>>, InjectError> {
    let items = list(spec, "volumes", "spec.")?.iter().enumerate();
    items
        .map(|(index, volume)| {
            let path = format!("spec.volumes[{index}]");
            let value = volume.as_object().ok_or_else(|| malformed(&path, "an object"))?;
            Ok(VolumeView { value, name: string(value, "name", &format!("{path}."))? })
        })
        .collect()
}

fn object<'a>(
    parent: &'a Map<String, Value>,
    key: &str,
    prefix: &str,
) -> Result<Option<&'a Map<String, Value>>, InjectError> {
    match parent.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(malformed(&format!("{prefix}{key}"), "an object")),
    }
}

/// A list; an empty one when it is missing.
pub(super) fn list<'a>(parent: &'a Map<String, Value>, key: &str, prefix: &str) -> Result<&'a [Value], InjectError> {
    match parent.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(malformed(&format!("{prefix}{key}"), "a list")),
    }
}

/// A text; an empty one when it is missing.
fn string<'a>(parent: &'a Map<String, Value>, key: &str, prefix: &str) -> Result<&'a str, InjectError> {
    match parent.get(key) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(malformed(&format!("{prefix}{key}"), "a text")),
    }
}

fn malformed(path: &str, expected: &'static str) -> InjectError {
    InjectError::Malformed { path: path.to_owned(), expected }
}
