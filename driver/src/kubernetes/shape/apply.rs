//! A shape is put onto the Pod that every task has.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, Container, LocalObjectReference, Pod, PodSpec, SecurityContext, Volume, VolumeMount,
};
use penstock_spec::keys;
use penstock_spec::mount_path::normal;
use penstock_spec::settings::RunAs;

use super::environment::set_variable;
use super::{Mounted, PodShape};
use crate::kubernetes::pod::{ANNOTATION_EKS, ANNOTATION_ISTIO, runtime_default};

impl PodShape {
    /// Puts it onto a Pod. `identity` is who the containers of a task run as whatever their author says. What the Pod has
    /// stays; what of the shape gives way to it is told.
    pub(crate) fn apply(self, pod: &mut Pod, identity: RunAs) -> Vec<String> {
        let mut warnings = self.warnings;
        let metadata = &mut pod.metadata;
        add_texts(metadata.labels.get_or_insert_default(), self.labels, "label", &mut warnings);
        let annotations = metadata.annotations.get_or_insert_default();
        if let Some(inject) = self.annotations.get(ANNOTATION_ISTIO) {
            annotations.insert(ANNOTATION_ISTIO.to_owned(), inject.clone());
        }
        add_texts(annotations, self.annotations, "annotation", &mut warnings);
        let spec = pod.spec.get_or_insert_default();
        if let Some(main) = spec.containers.iter_mut().find(|container| container.name == keys::MAIN_CONTAINER) {
            for variable in self.environment {
                let name = variable.name.clone();
                if set_variable(main.env.get_or_insert_default(), variable) {
                    warnings.push(format!("the variable {name} from a secret, config map or field replaces another"));
                }
            }
        }
        for Mounted { volumes, mounts } in [self.objects, self.scratch] {
            add_volumes(spec, volumes, mounts);
        }
        if self.node_selector.is_some() {
            spec.node_selector = self.node_selector;
        }
        if !self.tolerations.is_empty() {
            spec.tolerations = Some(self.tolerations);
        }
        if let Some(affinity) = self.affinity.filter(|affinity| *affinity != Affinity::default()) {
            spec.affinity = Some(affinity);
        }
        if !self.pull_secrets.is_empty() {
            let secrets = self.pull_secrets.into_iter().map(|name| LocalObjectReference { name });
            spec.image_pull_secrets = Some(secrets.collect());
        }
        if !self.init_containers.is_empty() {
            // They are user code as well.
            let names = self.init_containers.iter().map(|container| container.name.as_str());
            let names: Vec<&str> = [keys::MAIN_CONTAINER].into_iter().chain(names).collect();
            annotations.insert(ANNOTATION_EKS.to_owned(), names.join(","));
            let containers = self.init_containers.into_iter().map(|container| hardened(container, identity));
            spec.init_containers.get_or_insert_default().extend(containers);
        }
        warnings
    }
}

fn add_texts(
    into: &mut BTreeMap<String, String>,
    texts: BTreeMap<String, String>,
    what: &str,
    warnings: &mut Vec<String>,
) {
    for (key, value) in texts {
        match into.get(&key) {
            Some(there) if *there == value => {}
            Some(_) => warnings.push(format!("the {what} {key} is Penstock's own, and stays")),
            None => drop(into.insert(key, value)),
        }
    }
}

/// A scratch volume for user code gives way to what its author mounts there.
fn add_volumes(spec: &mut PodSpec, volumes: Vec<Volume>, mounts: Vec<VolumeMount>) {
    let paths: Vec<String> = mounts.iter().map(|mount| normal(&mount.mount_path)).collect();
    let is_replaced = |name: &str| {
        keys::HOME_VOLUMES.iter().any(|(home, path)| *home == name && paths.iter().any(|other| other == path))
    };
    let all = spec.volumes.get_or_insert_default();
    all.retain(|volume| !is_replaced(&volume.name));
    all.extend(volumes);
    if let Some(main) = spec.containers.iter_mut().find(|container| container.name == keys::MAIN_CONTAINER) {
        let all = main.volume_mounts.get_or_insert_default();
        all.retain(|mount| !is_replaced(&mount.name));
        all.extend(mounts);
    }
}

/// As the user's container, but for what its author says of that one.
fn hardened(container: Container, identity: RunAs) -> Container {
    let context = SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), ..Capabilities::default() }),
        run_as_user: identity.user,
        run_as_group: identity.group,
        run_as_non_root: identity.non_root,
        seccomp_profile: Some(runtime_default()),
        ..SecurityContext::default()
    };
    Container { security_context: Some(context), ..container }
}
