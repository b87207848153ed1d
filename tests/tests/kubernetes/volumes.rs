//! Volumes: claims that tasks create, mount and delete, and the workspace of a run.
//!
//! A cluster need not have a provisioner for this: each test brings a volume of its own, a directory of the node.

use std::time::Duration;

use penstock_tests::binary;
use penstock_tests::cluster::Cluster;
use penstock_tests::deadline::wait_until;
use penstock_tests::pipeline::{Pipeline, Task};
use serde_json::{Value, json};

use crate::scenario::Scenario;

/// Longest time until a claim that nobody mounts any more is gone.
const CLAIM_LIMIT: Duration = Duration::from_secs(120);

/// A volume that is bound by its class, which is called like it.
struct Volume {
    cluster: &'static Cluster,
    name: String,
}

impl Volume {
    fn of(scenario: &Scenario) -> Volume {
        let name = format!("{}-volume", scenario.namespace.name());
        scenario.cluster.apply(&json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
            "spec": {
                "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": name,
                "persistentVolumeReclaimPolicy": "Retain",
                "hostPath": {"path": format!("/tmp/{name}"), "type": "DirectoryOrCreate"},
            },
        }));
        Volume { cluster: scenario.cluster, name }
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = self.cluster.kubectl(["delete", "persistentvolume", &self.name, "--wait=false"]).run();
        // Where the node is this machine.
        let _ = std::fs::remove_dir_all(format!("/tmp/{}", self.name));
    }
}

fn claims(scenario: &Scenario) -> Vec<Value> {
    let list = scenario.namespace.get(["persistentvolumeclaims"]).unwrap_or_default();
    list["items"].as_array().cloned().unwrap_or_default()
}

/// Creates a claim, writes a file into it, reads it in another Pod, and deletes the claim.
fn life(class: &str) -> Value {
    let mount = "/data";
    let tasks = [
        Task::new("create", "")
            .input("access_modes", "LIST", json!(["ReadWriteOnce"]))
            .input("size", "STRING", json!("1Mi"))
            .input("pvc_name_suffix", "STRING", json!("-shared"))
            .input("storage_class_name", "STRING", json!(class))
            .input("volume_name", "STRING", json!(class))
            .output("name", "STRING"),
        Task::new("write", "echo written by another > /data/note").after("create"),
        Task::new("read", "cat /data/note > \"$1\"").after("create").after("write").output("text", "STRING"),
        Task::new("delete", "")
            .input_from(
                "pvc_name",
                "STRING",
                json!({"taskOutputParameter": {"producerTask": "create", "outputParameterKey": "name"}}),
            )
            .after("read"),
    ];
    let mut pipeline = Pipeline::new("life", tasks).build();
    for (task, image) in [("create", "argostub/createpvc"), ("delete", "argostub/deletepvc")] {
        pipeline["deploymentSpec"]["executors"][format!("exec-{task}")] = json!({"container": {"image": image}});
    }
    let name = json!({"taskOutputParameter": {"producerTask": "create", "outputParameterKey": "name"}});
    let mounted = json!({"pvcMount": [{"mountPath": mount, "pvcNameParameter": name}]});
    let executors = json!({"exec-write": mounted, "exec-read": mounted});
    let platform = json!({"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}});
    json!({"pipeline_spec": pipeline, "platform_spec": platform})
}

#[test]
fn claim_is_created_shared_by_two_tasks_and_deleted() {
    let Some(scenario) = Scenario::new("claim_is_created_shared_by_two_tasks_and_deleted") else { return };
    let volume = Volume::of(&scenario);
    let file = scenario.sandbox.write_pipeline("life.json", &life(&volume.name));
    let run = scenario.namespace.run(&scenario.sandbox).arg(file).run().expect_code(0).document();
    assert_eq!(run.task("read").parameters.outputs["text"], json!("written by another\n"));
    let name = run.task("create").parameters.outputs["name"].as_str().expect("the claim's name").to_owned();
    assert!(name.ends_with("-shared"), "{name}");
    wait_until("the claim to be gone", CLAIM_LIMIT, || claims(&scenario).is_empty());
    let pods = scenario.namespace.pods();
    let of_claims = pods.iter().filter_map(|pod| pod["metadata"]["name"].as_str());
    let of_claims = of_claims.filter(|name| name.contains("-create-") || name.contains("-delete-"));
    assert_eq!(of_claims.collect::<Vec<_>>(), [] as [&str; 0], "they take no Pod");
}

#[test]
fn claim_that_is_not_there_cannot_be_deleted() {
    let Some(scenario) = Scenario::new("claim_that_is_not_there_cannot_be_deleted") else { return };
    let task = Task::new("delete", "").input("pvc_name", "STRING", json!("nobodys"));
    let mut pipeline = Pipeline::new("missing", [task]).build();
    pipeline["deploymentSpec"]["executors"]["exec-delete"] = json!({"container": {"image": "argostub/deletepvc"}});
    let file = scenario.sandbox.write_pipeline("missing.json", &pipeline);
    let run = scenario.namespace.run(&scenario.sandbox).arg(file).run().expect_code(1).document();
    assert!(run.failure_of("delete").contains("nobodys cannot be deleted: there is none of that name"), "{run:#?}");
}

#[test]
fn workspace_is_shared_by_the_tasks_of_a_run_and_goes_with_its_success() {
    let test = "workspace_is_shared_by_the_tasks_of_a_run_and_goes_with_its_success";
    let Some(scenario) = Scenario::new(test) else { return };
    let volume = Volume::of(&scenario);
    let file = binary::samples().join("workspace.yaml");
    let args = ["--workspace-storage-class", &volume.name];
    let run = scenario.namespace.run(&scenario.sandbox).args(args).arg(file).run().expect_code(0).document();
    assert_eq!(run.outputs.parameters["Output"], json!("written by a task before"));
    wait_until("the workspace to be gone", CLAIM_LIMIT, || claims(&scenario).is_empty());
}

#[test]
fn workspace_of_a_run_that_failed_is_there_for_its_retry() {
    let test = "workspace_of_a_run_that_failed_is_there_for_its_retry";
    let Some(scenario) = Scenario::new(test) else { return };
    let volume = Volume::of(&scenario);
    let place = json!("{{$.workspace_path}}/note");
    let argument = "{{$.inputs.parameters['place']}}";
    let tasks = [
        Task::new("write", "echo kept > \"$1\"").input("place", "STRING", place.clone()).arg(argument),
        Task::new("read", "case $KFP_POD_NAME in *-0) exit 3;; esac; cat \"$1\" > \"$2\"")
            .input("place", "STRING", place)
            .arg(argument)
            .after("write")
            .output("text", "STRING"),
    ];
    let pipeline = Pipeline::new("kept", tasks).build();
    let patch = json!({"pvcSpecPatch": {"storageClassName": volume.name}});
    let workspace = json!({"size": "1Gi", "kubernetes": patch});
    let platform = json!({"platforms": {"kubernetes": {"pipelineConfig": {"workspace": workspace}}}});
    let both = json!({"pipeline_spec": pipeline, "platform_spec": platform});
    let file = scenario.sandbox.write_pipeline("kept.json", &both);
    let failed = scenario.namespace.run(&scenario.sandbox).arg(file).run().expect_code(1).document();
    let kept = claims(&scenario);
    assert!(kept.len() == 1 && kept[0]["status"]["phase"] == "Bound", "{kept:#?}");
    let retried = scenario.penstock(&["retry", &failed.run_id, "-o", "json"]).limit(Duration::from_secs(300));
    let retried: penstock_tests::document::RunDocument = retried.run().expect_code(0).document();
    assert_eq!(retried.task("read").parameters.outputs["text"], json!("kept\n"));
    wait_until("the workspace to be gone", CLAIM_LIMIT, || claims(&scenario).is_empty());
}
