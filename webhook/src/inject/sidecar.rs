//! The sidecar and its volumes.

use penstock_spec::keys;
use penstock_spec::settings::{NamespaceSettings, ObjectKey, credential_file};
use serde_json::{Value, json};

use super::mount::Mount;
use super::pod::{ContainerView, PodView};
use super::{EntryDelivery, InjectConfig};

/// What the launcher is told to be.
pub(super) const SUBCOMMAND: &str = "sidecar";
/// Memory for the volumes that hold the entry, and the socket.
const SMALL_VOLUME: &str = "16Mi";
/// Seconds until the token expires; the kubelet renews it.
const TOKEN_SECONDS: i64 = 3600;
/// Mode of the files with identity, plan, settings and credentials: nobody else mounts them.
const READ_ONLY: i64 = 0o444;
/// ConfigMap that Kubernetes keeps in every namespace.
const ROOT_CA_CONFIG_MAP: &str = "kube-root-ca.crt";

/// The sidecar, but for its mounts.
pub(super) fn container(
    view: &PodView<'_>,
    config: &InjectConfig,
    settings: &NamespaceSettings,
    grace_seconds: i64,
    delivery: EntryDelivery,
) -> Value {
    let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}});
    let text = |name: &str, value: &str| json!({"name": name, "value": value});
    let mut environment = vec![
        field(keys::ENV_LAUNCHER_POD_NAME, "metadata.name"),
        field(keys::ENV_LAUNCHER_POD_UID, "metadata.uid"),
        field(keys::ENV_LAUNCHER_NAMESPACE, "metadata.namespace"),
        text(keys::ENV_LAUNCHER_GRACE, &grace_seconds.to_string()),
        text(keys::ENV_LAUNCHER_FILES, &settings.pod_files().join(" ")),
    ];
    environment.extend(config.environment.iter().map(|(name, value)| text(name, value)));
    let mut container = json!({
        "name": keys::SIDECAR_CONTAINER,
        "image": config.launcher_image,
        "command": [keys::LAUNCHER_PATH],
        "args": delivery.arguments(),
        "restartPolicy": "Always",
        "env": environment,
        "resources": resources(view, config),
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    });
    if let Some(hooks) = delivery.lifecycle() {
        container["lifecycle"] = hooks;
    }
    if let Some(policy) = &config.pull_policy {
        container["imagePullPolicy"] = json!(policy);
    }
    if let Some(user) = config.run_as_user {
        container["securityContext"]["runAsUser"] = json!(user);
    }
    container
}

fn resources(view: &PodView<'_>, config: &InjectConfig) -> Value {
    let resources = &config.resources;
    if is_guaranteed(view) {
        let all = json!({"cpu": resources.guaranteed_cpu, "memory": resources.memory_limit});
        return json!({"requests": all, "limits": all});
    }
    let mut limits = json!({"memory": resources.memory_limit});
    if let Some(cpu) = &resources.cpu_limit {
        limits["cpu"] = json!(cpu);
    }
    json!({"requests": {"cpu": resources.cpu_request, "memory": resources.memory_request}, "limits": limits})
}

/// Whether every container gets exactly what it requests.
fn is_guaranteed(view: &PodView<'_>) -> bool {
    let is_exact = |container: &ContainerView<'_>| {
        let part = |part: &str, name: &str| container.value.get("resources")?.get(part)?.get(name);
        ["cpu", "memory"].iter().all(|name| {
            part("limits", name).is_some_and(|limit| part("requests", name).is_none_or(|request| request == limit))
        })
    };
    let is_users = |container: &&ContainerView<'_>| container.name != keys::SIDECAR_CONTAINER;
    view.all_containers().filter(is_users).all(is_exact)
}

/// Mounts of the sidecar that every Pod gets.
pub(super) fn mounts(delivery: EntryDelivery) -> Vec<Mount> {
    let others = [
        Mount::writable(keys::VOLUME_CONTROL, keys::CONTROL_DIR),
        Mount::writable(keys::VOLUME_SHARED, keys::SHARED_DIR),
        Mount::read_only(keys::VOLUME_POD, keys::POD_DIR),
    ];
    delivery.sidecar_mount().into_iter().chain(others).collect()
}

/// Mounts of the user's container that every Pod gets.
pub(super) fn main_mounts() -> Vec<Mount> {
    vec![
        Mount::read_only(keys::VOLUME_BIN, keys::BIN_DIR),
        Mount::read_only(keys::VOLUME_CONTROL, keys::CONTROL_DIR),
        Mount::writable(keys::VOLUME_SHARED, keys::SHARED_DIR),
    ]
}

/// Variables of the user's container that every Pod gets; the entry keeps them from the user's program. Nothing is held
/// for longer than the whole Pod may run.
pub(super) fn main_environment(view: &PodView<'_>, config: &InjectConfig) -> Vec<Value> {
    let hold = view.deadline_seconds().map_or(config.hold_seconds, |deadline| deadline.min(config.hold_seconds));
    vec![json!({"name": keys::ENV_ENTRY_HOLD, "value": hold.to_string()})]
}

/// A small volume in memory.
pub(super) fn memory_volume(name: &str) -> Value {
    json!({"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": SMALL_VOLUME}})
}

/// Volumes that every Pod gets, beside the one with the entry. `annotations` are shown to the launcher as files; the token
/// is for tasks.
pub(super) fn volumes(
    entry: Value,
    annotations: &[(&str, &str)],
    settings: &NamespaceSettings,
    has_token: bool,
) -> Vec<Value> {
    let mut sources = Vec::new();
    if has_token {
        let token = json!({"path": keys::POD_TOKEN_FILE, "expirationSeconds": TOKEN_SECONDS});
        sources.push(json!({"serviceAccountToken": token}));
        let authorities = json!([{"key": "ca.crt", "path": keys::POD_CA_FILE}]);
        sources.push(json!({"configMap": {"name": ROOT_CA_CONFIG_MAP, "items": authorities}}));
    }
    let files: Vec<Value> = annotations
        .iter()
        .map(|(key, file)| {
            let path = format!("metadata.annotations['{key}']");
            json!({"path": file, "fieldRef": {"apiVersion": "v1", "fieldPath": path}})
        })
        .collect();
    sources.push(json!({"downwardAPI": {"items": files}}));
    let items = json!([{"key": keys::POD_SETTINGS_FILE, "path": keys::POD_SETTINGS_FILE}]);
    sources.push(json!({"configMap": {"name": keys::SETTINGS_CONFIG_MAP, "items": items}}));
    sources.extend(secrets(settings));
    if let Some(ObjectKey { name, key }) = &settings.store_ca {
        let items = json!([{"key": key, "path": keys::POD_STORE_CA_FILE}]);
        // As with a Secret that does not exist.
        sources.push(json!({"configMap": {"name": name, "items": items, "optional": true}}));
    }
    vec![
        entry,
        memory_volume(keys::VOLUME_CONTROL),
        json!({"name": keys::VOLUME_SHARED, "emptyDir": {}}),
        json!({"name": keys::VOLUME_POD, "projected": {"defaultMode": READ_ONLY, "sources": sources}}),
    ]
}

/// The credentials that the settings name. A Secret that does not exist must not keep the Pod from starting for ever
/// (F-27): the launcher says which one is missing, if it needs it at all.
fn secrets(settings: &NamespaceSettings) -> Vec<Value> {
    let mut sources: Vec<(&str, Vec<Value>)> = Vec::new();
    for (secret, key) in settings.secrets() {
        let item = json!({"key": key, "path": credential_file(secret, key)});
        match sources.iter_mut().find(|(name, _)| *name == secret) {
            Some((_, items)) => items.push(item),
            None => sources.push((secret, vec![item])),
        }
    }
    let source = |(name, items)| json!({"secret": {"name": name, "items": items, "optional": true}});
    sources.into_iter().map(source).collect()
}
