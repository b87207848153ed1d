//! Containers that run before the user's, or beside it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Container, EnvVar, ResourceRequirements, VolumeMount};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use penstock_spec::keys;
use penstock_spec::mount_path::{is_reserved, normal};
use penstock_spec::object_name::is_label;
use penstock_spec::platform::{ContainerResources, InitContainer};

use super::volumes::Volumes;
use super::{Shaper, listed};

impl Shaper<'_> {
    pub(super) fn init_containers(&mut self, volumes: &Volumes) -> Vec<Container> {
        let mut names = BTreeSet::from([keys::MAIN_CONTAINER]);
        let mut containers = Vec::new();
        for (index, entry) in self.config.init_containers.iter().enumerate() {
            let field = format!("initContainers[{index}]");
            let name = entry.name.as_str();
            if !is_label(name) {
                let form = "small letters, digits and `-`, at most 63 of them";
                self.error(format!("{field}.name"), format!("{name:?} is no name of a container: {form}"));
            } else if name.starts_with(keys::RESERVED_NAME_PREFIX) || !names.insert(name) {
                self.error(format!("{field}.name"), format!("there is another container {name:?} in the Pod"));
            }
            containers.push(self.init_container(&field, entry, volumes));
        }
        containers
    }

    fn init_container(&mut self, field: &str, entry: &InitContainer, volumes: &Volumes) -> Container {
        if entry.image.is_empty() {
            self.error(format!("{field}.image"), "it is empty");
        }
        if let Some(policy) = entry.restart_policy.as_deref().filter(|policy| *policy != "Always") {
            let reason = format!("{policy:?} is not Always, which makes it run beside the task");
            self.error(format!("{field}.restartPolicy"), reason);
        }
        let mut environment = Vec::new();
        for (index, variable) in entry.env.iter().enumerate() {
            if variable.name.is_empty() {
                self.error(format!("{field}.env[{index}].name"), "it is empty");
            }
            let value = Some(variable.value.clone());
            environment.push(EnvVar { name: variable.name.clone(), value, ..EnvVar::default() });
        }
        Container {
            name: entry.name.clone(),
            image: Some(entry.image.clone()),
            command: listed(entry.command.clone()),
            args: listed(entry.args.clone()),
            env: listed(environment),
            volume_mounts: listed(self.init_mounts(field, entry, volumes)),
            resources: self.init_resources(field, entry.resources.as_ref()),
            restart_policy: entry.restart_policy.clone(),
            ..Container::default()
        }
    }

    fn init_mounts(&mut self, field: &str, entry: &InitContainer, volumes: &Volumes) -> Vec<VolumeMount> {
        let mut mounts: Vec<VolumeMount> = Vec::new();
        for (index, mount) in entry.volume_mounts.iter().enumerate() {
            let field = format!("{field}.volumeMounts[{index}]");
            let path = &mount.mount_path;
            if !path.starts_with('/') || path.contains([':', '\0']) || normal(path) == "/" {
                self.error(format!("{field}.mountPath"), format!("{path:?} is no path for a volume such as /data"));
            } else if is_reserved(&normal(path)) {
                self.error(format!("{field}.mountPath"), format!("{path:?} is kept for the launcher"));
            } else if mounts.iter().any(|there| normal(&there.mount_path) == normal(path)) {
                self.error(format!("{field}.mountPath"), format!("two volumes are mounted at {path:?}"));
            }
            let called = mount.volume_name.as_str();
            let name = match volumes.name_of(called) {
                Some(name) => name,
                // The run's, if it has one; and what is not known yet.
                None if called == keys::VOLUME_WORKSPACE || volumes.has_more => called,
                None => {
                    let reason = format!(
                        "the task has no volume {called:?}: add one, with kubernetes.empty_dir_mount for instance"
                    );
                    self.error(format!("{field}.volumeName"), reason);
                    continue;
                }
            };
            mounts.push(VolumeMount { name: name.to_owned(), mount_path: path.clone(), ..VolumeMount::default() });
        }
        mounts
    }

    fn init_resources(&mut self, field: &str, resources: Option<&ContainerResources>) -> Option<ResourceRequirements> {
        let resources = resources?;
        let requests = self.quantities(&format!("{field}.resources.requests"), &resources.requests);
        let limits = self.quantities(&format!("{field}.resources.limits"), &resources.limits);
        let is_set = requests.is_some() || limits.is_some();
        is_set.then(|| ResourceRequirements { requests, limits, ..ResourceRequirements::default() })
    }

    fn quantities(&mut self, field: &str, texts: &BTreeMap<String, String>) -> Option<BTreeMap<String, Quantity>> {
        let mut quantities = BTreeMap::new();
        for (resource, text) in texts {
            match self.size(&format!("{field}[{resource:?}]"), text) {
                Some(quantity) => drop(quantities.insert(resource.clone(), quantity)),
                None if text.is_empty() => self.error(format!("{field}[{resource:?}]"), "it is empty"),
                None => {}
            }
        }
        (!quantities.is_empty()).then_some(quantities)
    }
}
