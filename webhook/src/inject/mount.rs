//! A mount that injection wants.

use serde_json::{Value, json};

use super::paths;
use super::pod::MountView;

/// A mount of a volume in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) volume: String,
    pub(super) path: String,
    pub(super) is_read_only: bool,
    pub(super) sub_path: Option<String>,
}

impl Mount {
    pub(super) fn writable(volume: &str, path: &str) -> Mount {
        Mount { volume: volume.to_owned(), path: path.to_owned(), is_read_only: false, sub_path: None }
    }

    pub(super) fn read_only(volume: &str, path: &str) -> Mount {
        Mount { is_read_only: true, ..Mount::writable(volume, path) }
    }

    /// What a container of the user mounts, as it is.
    pub(super) fn like(mount: &MountView<'_>) -> Mount {
        Mount {
            volume: mount.volume.to_owned(),
            path: mount.path.to_owned(),
            is_read_only: mount.is_read_only(),
            sub_path: sub_path(mount).map(str::to_owned),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let mut mount = json!({"name": self.volume, "mountPath": self.path});
        if self.is_read_only {
            mount["readOnly"] = json!(true);
        }
        if let Some(sub_path) = &self.sub_path {
            mount["subPath"] = json!(sub_path);
        }
        mount
    }

    /// Whether a mount is at this one's place.
    pub(super) fn is_at(&self, mount: &MountView<'_>) -> bool {
        paths::normal(mount.path) == paths::normal(&self.path)
    }

    /// Whether a mount at this one's place is this one.
    pub(super) fn is(&self, mount: &MountView<'_>) -> bool {
        mount.volume == self.volume
            && mount.is_read_only() == self.is_read_only
            && sub_path(mount) == self.sub_path.as_deref()
            && mount.value.get("subPathExpr").is_none_or(Value::is_null)
    }
}

fn sub_path<'a>(mount: &MountView<'a>) -> Option<&'a str> {
    mount.value.get("subPath").and_then(Value::as_str).filter(|path| !path.is_empty())
}
