//! The run's workspace in the Pod of a task that uses it. Pure.

use k8s_openapi::api::core::v1::{
    Container, PersistentVolumeClaimVolumeSource, Pod, PodSecurityContext, Volume, VolumeMount,
};
use penstock_spec::keys;
use penstock_spec::mount_path::{is_within, normal};
use penstock_spec::plan::Plan;

use super::pod::PodError;

/// Ownership of files is changed only where it is not so already: a workspace may hold many.
const CHANGE_POLICY: &str = "OnRootMismatch";

/// Mounts the workspace, as the last thing that is done to a Pod: whatever else is mounted there is seen.
pub(super) fn mount(pod: &mut Pod, plan: &Plan) -> Result<(), PodError> {
    if plan.workspace.is_none() {
        return Ok(());
    }
    let Some(spec) = pod.spec.as_mut() else { return Ok(()) };
    let volumes = spec.volumes.get_or_insert_default();
    if volumes.iter().any(|volume| volume.name == keys::VOLUME_WORKSPACE) {
        return Err(PodError::Workspace(format!("another volume of the task is called {}", keys::VOLUME_WORKSPACE)));
    }
    let Some(main) = spec.containers.iter_mut().find(|container| container.name == keys::MAIN_CONTAINER) else {
        return Ok(());
    };
    let mounts = main.volume_mounts.get_or_insert_default();
    if let Some(other) = mounts.iter().find(|mount| is_within(&normal(&mount.mount_path), keys::WORKSPACE_PATH)) {
        return Err(PodError::Workspace(format!("the task mounts {:?} at {}", other.name, other.mount_path)));
    }
    volumes.push(Volume {
        name: keys::VOLUME_WORKSPACE.to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: plan.run.workspace_claim(),
            ..PersistentVolumeClaimVolumeSource::default()
        }),
        ..Volume::default()
    });
    mounts.push(VolumeMount {
        name: keys::VOLUME_WORKSPACE.to_owned(),
        mount_path: keys::WORKSPACE_PATH.to_owned(),
        ..VolumeMount::default()
    });
    if let Some(group) = group_of(main) {
        share_with(spec.security_context.get_or_insert_default(), group);
    }
    Ok(())
}

/// The group that user code is in, where it is known that it does not run as root: a new volume is root's.
fn group_of(main: &Container) -> Option<i64> {
    let context = main.security_context.as_ref()?;
    let user = context.run_as_user.filter(|user| *user != 0)?;
    Some(context.run_as_group.unwrap_or(user))
}

fn share_with(context: &mut PodSecurityContext, group: i64) {
    if context.fs_group.is_none() {
        context.fs_group = Some(group);
        context.fs_group_change_policy = Some(CHANGE_POLICY.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    fn plan(workspace: &Value) -> Plan {
        let at = "2026-01-01T00:00:00Z";
        let text = json!({
            "version": 1,
            "run": {
                "id": Uuid::from_u128(1), "name": "train-1a2b3", "displayName": "", "pipelineName": "train",
                "pipelineRoot": "s3://b", "createdAt": at, "scheduledAt": at, "caching": true,
            },
            "task": {"id": Uuid::from_u128(2), "key": "t", "displayName": "t", "path": "t", "attempt": 0},
            "image": "i", "command": ["true"], "args": [], "env": [], "workspace": workspace, "inputs": {}, "taskRoot": "s3://b/t",
        });
        serde_json::from_value(text).expect("a plan")
    }

    fn mounted(workspace: &Value, spec: &Value) -> Result<Value, String> {
        let mut pod: Pod = serde_json::from_value(json!({"metadata": {}, "spec": spec})).expect("a Pod");
        mount(&mut pod, &plan(workspace)).map_err(|error| error.to_string())?;
        Ok(serde_json::to_value(pod.spec).expect("JSON"))
    }

    #[test]
    fn claim_is_mounted_only_for_a_task_that_uses_it() {
        let spec = json!({
            "containers": [{"name": "side"}, {"name": "main", "volumeMounts": [{"name": "a", "mountPath": "/a"}]}],
            "volumes": [{"name": "a", "emptyDir": {}}],
        });
        assert_eq!(mounted(&Value::Null, &spec).as_ref(), Ok(&spec));
        let pod = mounted(&json!({"size": "1Gi"}), &spec).expect("a Pod");
        let claim =
            json!({"name": "kfp-workspace", "persistentVolumeClaim": {"claimName": "train-1a2b3-kfp-workspace"}});
        assert_eq!(pod["volumes"][1], claim);
        let mounts = &pod["containers"][1]["volumeMounts"];
        assert_eq!(mounts[1], json!({"name": "kfp-workspace", "mountPath": "/kfp-workspace"}));
        assert_eq!(pod["containers"][0].get("volumeMounts"), None);
        assert_eq!(pod.get("securityContext"), None, "the image says who it runs as");
    }

    #[test]
    fn user_that_is_not_root_shares_its_group_with_the_volume() {
        let pod = |context: Value| {
            let spec = json!({"containers": [{"name": "main", "securityContext": context}]});
            mounted(&json!({"size": "1Gi"}), &spec).expect("a Pod")["securityContext"].clone()
        };
        let shared = |group: i64| json!({"fsGroup": group, "fsGroupChangePolicy": "OnRootMismatch"});
        assert_eq!(pod(json!({"runAsUser": 65532})), shared(65532));
        assert_eq!(pod(json!({"runAsUser": 65532, "runAsGroup": 7})), shared(7));
        assert_eq!(pod(json!({"runAsUser": 0})), Value::Null);
    }

    #[test]
    fn what_else_is_mounted_there_is_refused_by_path_and_not_by_letters() {
        let with = |name: &str, path: &str| {
            let mount = json!({"name": name, "mountPath": path});
            let spec = json!({
                "containers": [{"name": "main", "volumeMounts": [mount]}],
                "volumes": [{"name": name, "emptyDir": {}}],
            });
            mounted(&json!({"size": "1Gi"}), &spec).map(drop)
        };
        for path in ["/kfp-workspace", "/kfp-workspace/", "/kfp-workspace/data", "//kfp-workspace/./x"] {
            assert!(with("own", path).unwrap_err().contains(path), "{path}");
        }
        assert!(with("kfp-workspace", "/data").unwrap_err().contains("is called kfp-workspace"));
        assert_eq!(with("own", "/kfp-workspace2"), Ok(()));
        assert_eq!(with("own", "/data/kfp-workspace"), Ok(()));
    }
}
