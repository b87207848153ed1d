//! Models in images: an input artifact `oci://IMAGE` (KFP's modelcar) is that image, mounted where the SDK looks for it.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{ImageVolumeSource, PodSpec, Volume, VolumeMount};
use penstock_spec::keys;
use penstock_spec::plan::Plan;
use penstock_spec::uri::local_path_in_container;

use super::PodError;

const SCHEME: &str = "oci://";
/// Directory of an image that holds its model: the last part of the path that the SDK makes of a URI.
const MODEL_DIR: &str = "/models";
/// Longest name of a directory: the image's becomes one.
const MAX_NAME: usize = 255;

/// Mounts the images of a plan's models in the container main. Nothing of them is fetched.
pub(super) fn mount(plan: &Plan, spec: &mut PodSpec) -> Result<(), PodError> {
    let mut uris = BTreeSet::new();
    for (input, artifacts) in &plan.inputs.artifacts {
        for uri in artifacts.iter().map(|artifact| artifact.uri.as_str()) {
            match uri.strip_prefix(SCHEME) {
                Some(image) if !is_reference(image) => {
                    return Err(PodError::ModelImage { input: input.clone(), uri: uri.to_owned() });
                }
                Some(_) => _ = uris.insert(uri),
                None => {}
            }
        }
    }
    let taken: BTreeSet<String> = spec.volumes.iter().flatten().map(|volume| volume.name.clone()).collect();
    let free = (0..).map(|index: u32| format!("oci-{index}")).filter(|name| !taken.contains(name));
    for (uri, name) in uris.into_iter().zip(free) {
        let path = local_path_in_container(uri).unwrap_or_default();
        for main in spec.containers.iter_mut().filter(|container| container.name == keys::MAIN_CONTAINER) {
            main.volume_mounts.get_or_insert_default().push(VolumeMount {
                name: name.clone(),
                mount_path: path.strip_suffix(MODEL_DIR).unwrap_or(&path).to_owned(),
                read_only: Some(true),
                ..VolumeMount::default()
            });
        }
        let reference = uri.strip_prefix(SCHEME).map(str::to_owned);
        let image = Some(ImageVolumeSource { reference, pull_policy: None });
        spec.volumes.get_or_insert_default().push(Volume { name, image, ..Volume::default() });
    }
    Ok(())
}

/// Whether a text can name an image: a path is made of it, which must not lead elsewhere (T-02).
fn is_reference(image: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:/@".contains(&byte);
    image.len() <= MAX_NAME
        && image.bytes().all(is_known)
        && image.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use penstock_spec::plan::PLAN_VERSION;
    use serde_json::{Value, json};

    use super::super::{NamespaceTasks, PodSettings, TaskPod, build};
    use super::*;

    fn built(uris: &[&str]) -> Result<TaskPod, PodError> {
        let artifact =
            |uri: &&str| json!({"id": "33333333-3333-4333-8333-333333333333", "name": "m", "type": {}, "uri": uri});
        let models: Vec<Value> = uris.iter().map(artifact).collect();
        let plan = json!({
            "version": PLAN_VERSION,
            "run": {
                "id": "11111111-1111-4111-8111-111111111111", "name": "n", "displayName": "d", "pipelineName": "p",
                "pipelineRoot": "s3://b", "createdAt": "2026-01-02T03:04:05Z", "scheduledAt": "2026-01-02T03:04:05Z",
                "caching": true,
            },
            "task": {
                "id": "22222222-2222-4222-8222-222222222222", "key": "t", "displayName": "t", "path": "t", "attempt": 0,
            },
            "image": "i", "command": ["c"], "args": [], "env": [],
            "inputs": {"artifacts": {"first": models, "again": models}},
            "taskRoot": "s3://b/t",
        });
        let plan = serde_json::from_value(plan).expect("a plan");
        build(&plan, "team", &PodSettings::default(), &NamespaceTasks::default())
    }

    #[test]
    fn each_image_is_mounted_once_where_the_sdk_looks_for_its_model() {
        let uris =
            ["oci://registry.example.com/team/model:v1", "s3://b/k", "oci://registry.example.com/other@sha256:0a"];
        let spec = built(&uris).expect("a Pod").pod.spec.expect("a specification");
        let of_images = |name: &&str| name.starts_with("oci-");
        let volumes: Vec<Value> = spec
            .volumes
            .iter()
            .flatten()
            .filter(|volume| of_images(&volume.name.as_str()))
            .map(|volume| json!(volume))
            .collect();
        assert_eq!(
            volumes,
            [
                json!({"name": "oci-0", "image": {"reference": "registry.example.com/other@sha256:0a"}}),
                json!({"name": "oci-1", "image": {"reference": "registry.example.com/team/model:v1"}}),
            ]
        );
        let mounts: Vec<Value> = spec.containers[0]
            .volume_mounts
            .iter()
            .flatten()
            .filter(|mount| of_images(&mount.name.as_str()))
            .map(|mount| json!(mount))
            .collect();
        assert_eq!(
            mounts,
            [
                json!({"name": "oci-0", "mountPath": "/oci/registry.example.com_other@sha256:0a", "readOnly": true}),
                json!({"name": "oci-1", "mountPath": "/oci/registry.example.com_team_model:v1", "readOnly": true}),
            ]
        );
    }

    #[rstest::rstest]
    #[case("oci://")]
    #[case("oci://..")]
    #[case("oci://a/../b")]
    #[case("oci:///etc")]
    #[case("oci://a b")]
    #[case("oci://a\0")]
    fn t02_what_can_name_no_image_is_refused(#[case] uri: &str) {
        let error = built(&[uri]).expect_err("it is refused").to_string();
        assert!(error.contains("input artifact \"again\"") && error.contains("REGISTRY/NAME:TAG"), "{error}");
    }

    #[test]
    fn a_name_that_no_directory_can_have_is_refused() {
        assert!(built(&[&format!("oci://{}", "a".repeat(255))]).is_ok());
        assert!(built(&[&format!("oci://{}", "a".repeat(256))]).is_err());
    }
}
