//! What a pipeline asks of Kubernetes that a machine of its own does not have. Its tasks run without, as with the
//! SDK's own runner, and the user is told so.

use std::collections::BTreeMap;

use penstock_spec::platform::{KubernetesExecutorConfig, PlatformSpec};

/// Settings that user code may rely on.
const KINDS: [(&str, fn(&KubernetesExecutorConfig) -> bool); 5] = [
    ("secrets", |config| !config.secret_as_env.is_empty() || !config.secret_as_volume.is_empty()),
    ("config maps", |config| !config.config_map_as_env.is_empty() || !config.config_map_as_volume.is_empty()),
    ("volumes", |config| {
        !config.pvc_mount.is_empty()
            || !config.generic_ephemeral_volume.is_empty()
            || !config.empty_dir_mounts.is_empty()
    }),
    ("fields of their Pod", |config| !config.field_path_as_env.is_empty()),
    ("containers beside them", |config| !config.init_containers.is_empty()),
];

/// One line for each kind of setting that has no effect here, with the executors that have it.
pub(crate) fn without(platform: &PlatformSpec) -> Vec<String> {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (label, config) in &platform.kubernetes.deployment_spec.executors {
        for (kind, _) in KINDS.iter().filter(|(_, is_set)| is_set(config)) {
            found.entry(kind).or_default().push(label);
        }
    }
    let line = |(kind, labels): (&str, Vec<&str>)| {
        format!("tasks of {} run without {kind}: those are the cluster's, and this machine has none", labels.join(", "))
    };
    found.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use penstock_spec::platform::{FieldPathAsEnv, SecretAsEnv};

    use super::*;

    #[test]
    fn settings_without_effect_are_named_with_their_executors() {
        let mut platform = PlatformSpec::default();
        assert_eq!(without(&platform), [] as [String; 0]);
        let secret = KubernetesExecutorConfig { secret_as_env: vec![SecretAsEnv::default()], ..Default::default() };
        let field = KubernetesExecutorConfig { field_path_as_env: vec![FieldPathAsEnv::default()], ..secret.clone() };
        platform.kubernetes.deployment_spec.executors =
            [("exec-a".to_owned(), secret), ("exec-b".to_owned(), field)].into_iter().collect();
        let lines = without(&platform);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("exec-b run without fields of their Pod"), "{lines:?}");
        assert!(lines[1].contains("exec-a, exec-b run without secrets"), "{lines:?}");
    }
}
