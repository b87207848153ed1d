//! Volume claims: made and deleted by tasks, and the workspaces of runs.

use std::time::Duration;

use penstock_driver::{CreateRunError, Driver, RunControl, RunEnd};
use penstock_spec::Timestamp;
use penstock_spec::keys;
use penstock_spec::report::FailureCause;
use penstock_spec::run::RunStatus;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::{FakeApi, Fault};
use crate::kubelet::Act;
use crate::world::{World, drive};

/// `create`, `use` in a Pod, `delete`; the name of the claim is an input of the run.
fn pipeline(name: &str, tasks: &[&str], platform: &str) -> String {
    let all = [
        format!(
            "      create:
        componentRef: {{name: comp-create}}
        taskInfo: {{name: create}}
        cachingOptions: {{enableCache: true}}
        inputs:
          parameters:
            access_modes: {{runtimeValue: {{constant: [ReadWriteOnce]}}}}
            size: {{runtimeValue: {{constant: 1Gi}}}}
            pvc_name: {{runtimeValue: {{constant: '{name}'}}}}
"
        ),
        "      use: {componentRef: {name: comp}, taskInfo: {name: use}, dependentTasks: [create]}\n".to_owned(),
        "      delete:
        componentRef: {name: comp-delete}
        taskInfo: {name: delete}
        dependentTasks: [use]
        inputs: {parameters: {pvc_name: {taskOutputParameter: {producerTask: create, outputParameterKey: name}}}}
"
        .to_owned(),
        format!(
            "      gone:
        componentRef: {{name: comp-delete}}
        taskInfo: {{name: gone}}
        inputs: {{parameters: {{pvc_name: {{runtimeValue: {{constant: '{name}'}}}}}}}}
"
        ),
        "      write:
        componentRef: {name: comp-at}
        taskInfo: {name: write}
        inputs: {parameters: {folder: {runtimeValue: {constant: '{{$.workspace_path}}/data'}}}}
"
        .to_owned(),
        "      read:
        componentRef: {name: comp-at}
        taskInfo: {name: read}
        dependentTasks: [write]
        inputs: {parameters: {folder: {runtimeValue: {constant: /kfp-workspace/data}}}}
"
        .to_owned(),
        "      apart: {componentRef: {name: comp}, taskInfo: {name: apart}, dependentTasks: [write]}\n".to_owned(),
    ];
    let is_chosen = |text: &&String| tasks.iter().any(|task| text.starts_with(&format!("      {task}:")));
    let tasks: String = all.iter().filter(is_chosen).map(String::as_str).collect();
    format!(
        "pipelineInfo: {{name: volumes}}
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.0
components:
  comp: {{executorLabel: exec, outputDefinitions: {{parameters: {{out: {{parameterType: STRING}}}}}}}}
  comp-at: {{executorLabel: exec-at, inputDefinitions: {{parameters: {{folder: {{parameterType: STRING}}}}}}, outputDefinitions: {{parameters: {{out: {{parameterType: STRING}}}}}}}}
  comp-create:
    executorLabel: exec-create
    inputDefinitions:
      parameters:
        access_modes: {{parameterType: LIST}}
        size: {{parameterType: STRING}}
        pvc_name: {{parameterType: STRING, isOptional: true}}
        storage_class_name: {{parameterType: STRING, isOptional: true, defaultValue: ''}}
    outputDefinitions: {{parameters: {{name: {{parameterType: STRING}}}}}}
  comp-delete: {{executorLabel: exec-delete, inputDefinitions: {{parameters: {{pvc_name: {{parameterType: STRING}}}}}}}}
deploymentSpec:
  executors:
    exec: {{container: {{image: python:3.11, command: [python3], args: ['{{{{$}}}}']}}}}
    exec-at: {{container: {{image: python:3.11, command: [python3], args: ['{{{{$}}}}']}}}}
    exec-create: {{container: {{image: argostub/createpvc}}}}
    exec-delete: {{container: {{image: argostub/deletepvc}}}}
root:
  dag:
    tasks:
{tasks}{platform}"
    )
}

const LIFE: [&str; 3] = ["create", "use", "delete"];

/// A run with a workspace, and what its pipeline says besides.
fn with_workspace(tasks: &[&str], more: &str) -> String {
    let workspace = format!(
        "---
platforms: {{kubernetes: {{pipelineConfig: {{workspace: {{size: 2Gi, kubernetes: {{pvcSpecPatch: {{storageClassName: fast}}}}}}{more}}}}}}}
"
    );
    pipeline("", tasks, &workspace)
}

async fn to_the_end(driver: &Driver, run: Uuid) -> RunEnd {
    drive(driver, run, &RunControl::new()).await.expect("the run is driven")
}

fn names(claims: &[Value]) -> Vec<&str> {
    claims.iter().filter_map(|claim| claim["metadata"]["name"].as_str()).collect()
}

/// The Pod of a task.
fn pod_of(api: &FakeApi, task: &str) -> Option<Value> {
    let is_of_it =
        |pod: &Value| pod["metadata"]["name"].as_str().is_some_and(|name| name.contains(&format!("-{task}-")));
    api.pods().into_iter().find(is_of_it)
}

#[tokio::test(flavor = "multi_thread")]
async fn claim_lives_from_its_creation_to_its_deletion_and_neither_takes_a_pod() {
    let world = World::new(|_, _| Act::Hang).await;
    let driver = world.driver().await;
    let run = world.create(&driver, &pipeline("", &LIFE, "")).await;
    let between = async {
        world.until("the Pod", |api| pod_of(api, "use").is_some_and(|pod| pod["status"]["phase"] == "Running")).await;
        let claims = world.api.claims();
        world.report_success(&world.api.pods()[0]).await;
        claims
    };
    let (claims, end) = tokio::join!(between, to_the_end(&driver, run));
    assert_eq!(end.status, RunStatus::Succeeded, "{end:?}");
    let [claim] = &*claims else { panic!("one claim: {claims:#?}") };
    assert_eq!(claim["spec"]["storageClassName"], "standard");
    assert!(Uuid::parse_str(claim["metadata"]["name"].as_str().expect("a name")).is_ok(), "{claim:#}");
    assert!(
        claim["metadata"]["annotations"]["penstock.dev/made-by"]
            .as_str()
            .is_some_and(|by| by.starts_with(&run.to_string()))
    );
    assert_eq!(world.api.claims(), [] as [Value; 0]);
    assert_eq!(world.api.calls("create").len(), 1, "the Pod of `use` alone");
}

/// Kills the driver at a request, and goes on with another. Says whether the request was ever made.
async fn killed_at(request: usize, after: bool) -> bool {
    let world = World::new(|_, _| Act::Succeed).await;
    let reached = world.killed_at(&pipeline("", &LIFE, ""), request, after).await.is_some();
    let mut created = world.api.calls("create_claim");
    created.dedup();
    assert_eq!(created.len(), 1, "killed at request {request}, after: {after}: one name: {created:?}");
    assert_eq!(world.api.claims(), [] as [Value; 0], "killed at request {request}, after: {after}");
    reached
}

#[tokio::test(flavor = "multi_thread")]
async fn f01_driver_killed_before_and_after_each_request_makes_one_claim_and_deletes_it() {
    for after in [false, true] {
        let mut request = 1;
        while killed_at(request, after).await {
            request += 1;
        }
        assert!(request > 5, "only {request} requests were met");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_lost_change_nothing() {
    let world = World::new(|_, _| Act::Succeed).await;
    for verb in ["create_claim", "get_claim", "delete_claim"] {
        world.api.fault(verb, Fault::LoseAnswer);
    }
    let end = world.run(&pipeline("shared", &LIFE, "")).await;
    assert_eq!((end.status, world.api.pending_faults()), (RunStatus::Succeeded, 0), "{end:?}");
    assert_eq!(world.api.claims(), [] as [Value; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn claim_of_somebody_else_is_a_failure_and_stays_as_it_is() {
    let world = World::new(|_, _| Act::Succeed).await;
    let theirs = json!({"metadata": {"name": "shared"}});
    world.api.add_claim(&theirs);
    let failure = world.run(&pipeline("shared", &["create"], "")).await.failure.expect("a failure");
    assert_eq!(failure.cause, FailureCause::Refused);
    assert!(failure.message.contains("there is a volume claim team/shared already"), "{failure:?}");
    // Another run of the same pipeline is somebody else, too.
    world.api.delete_claim("shared");
    assert_eq!(world.run(&pipeline("shared", &["create"], "")).await.status, RunStatus::Succeeded);
    let failure = world.run(&pipeline("shared", &["create"], "")).await.failure.expect("a failure");
    assert!(failure.message.contains("another task or run made it"), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn claim_whose_name_is_about_to_be_free_is_waited_for() {
    let world = World::new(|_, _| Act::Succeed).await;
    world.api.add_claim(&json!({"metadata": {"name": "shared"}}));
    world.api.hold_claim("shared", true);
    world.api.delete_claim("shared");
    let driver = world.driver().await;
    let run = world.create(&driver, &pipeline("shared", &["create"], "")).await;
    let release = async {
        world.until("it waits", |_| !driver.waiting_reasons(run).is_empty()).await;
        let (_, reason) = driver.waiting_reasons(run).remove(0);
        world.api.hold_claim("shared", false);
        reason
    };
    let (reason, end) = tokio::join!(release, to_the_end(&driver, run));
    assert!(reason.contains("one of its name is being deleted"), "{reason}");
    assert_eq!(end.status, RunStatus::Succeeded, "{end:?}");
    assert_eq!(names(&world.api.claims()), ["shared"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_of_what_is_not_there_fails_and_of_what_is_in_use_succeeds() {
    let world = World::new(|_, _| Act::Succeed).await;
    let failure = world.run(&pipeline("shared", &["gone"], "")).await.failure.expect("a failure");
    assert!(failure.message.contains("team/shared cannot be deleted: there is none of that name"), "{failure:?}");
    world.api.add_claim(&json!({"metadata": {"name": "shared"}}));
    world.api.hold_claim("shared", true);
    assert_eq!(world.run(&pipeline("shared", &["gone"], "")).await.status, RunStatus::Succeeded);
    let claims = world.api.claims();
    assert!(!claims[0]["metadata"]["deletionTimestamp"].is_null(), "it goes when nobody mounts it");
}

#[tokio::test(flavor = "multi_thread")]
async fn t06_claim_that_penstock_is_kept_on_is_deleted_for_no_task() {
    let world = World::new(|_, _| Act::Succeed).await;
    let labels = json!({"app.kubernetes.io/part-of": "penstock"});
    world.api.add_claim(&json!({"metadata": {"name": "penstock-data", "labels": labels}}));
    let failure = world.run(&pipeline("penstock-data", &["gone"], "")).await.failure.expect("a failure");
    assert!(failure.message.contains("Penstock itself is kept on it"), "{failure:?}");
    assert_eq!((names(&world.api.claims()), world.api.calls("delete_claim").len()), (vec!["penstock-data"], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn right_that_is_missing_is_named_with_what_grants_it() {
    let world = World::new(|_, _| Act::Succeed).await;
    let text = "persistentvolumeclaims is forbidden: User \"penstock\" cannot create resource";
    world.api.fault("create_claim", Fault::Refuse(403, "Forbidden", text.to_owned()));
    let failure = world.run(&pipeline("", &["create"], "")).await.failure.expect("a failure");
    assert_eq!(failure.cause, FailureCause::Refused);
    assert!(failure.message.contains(text) && failure.message.contains("cluster-role.yaml"), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn task_that_waits_for_a_quota_says_so_and_can_be_stopped() {
    let world = World::new(|_, _| Act::Succeed).await;
    let quota = "persistentvolumeclaims \"x\" is forbidden: exceeded quota: q, requested: requests.storage=1Gi";
    for _ in 0..1000 {
        world.api.fault("create_claim", Fault::Refuse(403, "Forbidden", quota.to_owned()));
    }
    let driver = world.driver().await;
    let run = world.create(&driver, &pipeline("", &["create"], "")).await;
    let control = RunControl::new();
    let stop = async {
        world.until("it waits", |_| !driver.waiting_reasons(run).is_empty()).await;
        let (_, reason) = driver.waiting_reasons(run).remove(0);
        control.cancel("enough");
        reason
    };
    let (reason, end) = tokio::join!(stop, drive(&driver, run, &control));
    assert!(reason.contains("exceeded quota"), "{reason}");
    assert_eq!(end.expect("the run is driven").status, RunStatus::Canceled);
    assert_eq!(world.api.claims(), [] as [Value; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn claim_of_a_fixed_name_comes_from_the_cache_while_it_is_there() {
    let mut world = World::new(|_, _| Act::Succeed).await;
    world.caching = true;
    let create = pipeline("shared", &["create"], "");
    let requests = async || {
        assert_eq!(world.run(&create).await.status, RunStatus::Succeeded);
        world.api.calls("create_claim").len()
    };
    assert_eq!(requests().await, 1);
    assert_eq!(requests().await, 1, "from the cache");
    world.api.delete_claim("shared");
    assert_eq!(requests().await, 2, "it is made anew");
    world.api.hold_claim("shared", true);
    world.api.delete_claim("shared");
    let driver = world.driver().await;
    let run = world.create(&driver, &create).await;
    let release = async {
        world.until("it waits", |_| !driver.waiting_reasons(run).is_empty()).await;
        world.api.hold_claim("shared", false);
    };
    let ((), end) = tokio::join!(release, to_the_end(&driver, run));
    assert_eq!(end.status, RunStatus::Succeeded, "one that is being deleted is none");
    let made_up = pipeline("", &["create"], "");
    for _ in 0..2 {
        assert_eq!(world.run(&made_up).await.status, RunStatus::Succeeded);
    }
    assert_eq!(world.api.claims().len(), 3, "a name that is made up is another each time");
}

#[tokio::test(flavor = "multi_thread")]
async fn workspace_is_made_for_the_first_task_that_uses_it_and_goes_with_success() {
    let world = World::new(|_, _| Act::Hang).await;
    let driver = world.driver().await;
    let run = world.create(&driver, &with_workspace(&["write", "read", "apart"], "")).await;
    let name = driver.metastore().run(run).await.expect("the run").info.workspace_claim();
    let look = async {
        let (mut mounted, mut claims) = (Vec::new(), Vec::new());
        for task in ["write", "read", "apart"] {
            let runs = |pod: Value| pod["status"]["phase"] == "Running";
            world.until(task, |api| pod_of(api, task).is_some_and(runs)).await;
            let pod = pod_of(&world.api, task).expect("a Pod");
            let is_it = |volume: &Value| volume["persistentVolumeClaim"]["claimName"] == name.as_str();
            let has_volume = pod["spec"]["volumes"].as_array().is_some_and(|volumes| volumes.iter().any(is_it));
            let mounts = pod["spec"]["containers"][0]["volumeMounts"].as_array().cloned().unwrap_or_default();
            let has_mount = mounts.iter().any(|mount| mount["mountPath"] == "/kfp-workspace");
            assert_eq!(has_volume, has_mount, "{task}");
            mounted.push((task, has_volume));
            claims = world.api.claims();
            world.report_success(&pod).await;
        }
        (mounted, claims)
    };
    let ((mounted, claims), end) = tokio::join!(look, to_the_end(&driver, run));
    assert_eq!(end.status, RunStatus::Succeeded, "{end:?}");
    assert_eq!(mounted, [("write", true), ("read", true), ("apart", false)]);
    assert_eq!(names(&claims), [name.as_str()]);
    let resources = json!({"requests": {"storage": "2Gi"}});
    let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": resources, "storageClassName": "fast"});
    assert_eq!(claims[0]["spec"], spec);
    assert_eq!(world.api.calls("create_claim").len(), 1, "once");
    assert_eq!(world.api.claims(), [] as [Value; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn run_that_does_not_use_its_workspace_has_none() {
    let world = World::new(|_, _| Act::Succeed).await;
    let text = with_workspace(&["write"], "").replace("{{$.workspace_path}}/data", "/data");
    assert_eq!(world.run(&text).await.status, RunStatus::Succeeded);
    assert_eq!(world.api.calls("create_claim"), [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn workspace_stays_after_a_failure_for_a_retry_and_goes_with_the_run() {
    let fails_once = |key: &str, attempt| match (key, attempt) {
        ("read", 0) => Act::Fail(FailureCause::User, "no"),
        _ => Act::Succeed,
    };
    let world = World::new(fails_once).await;
    let driver = world.driver().await;
    let text = with_workspace(&["write", "read"], "");
    let (run, other) = (world.create(&driver, &text).await, world.create(&driver, &text).await);
    assert_eq!(to_the_end(&driver, run).await.status, RunStatus::Failed);
    assert_eq!(to_the_end(&driver, other).await.status, RunStatus::Failed);
    let made = world.api.claims();
    assert_eq!(made.len(), 2, "a retry needs them");
    world.until("their phases", |api| api.pods().iter().all(|pod| pod["status"]["phase"] == "Failed")).await;
    driver.sweep_pods("team").await.expect("a sweep");
    assert_eq!(world.api.claims(), made);

    // The Pod of the failed attempt is kept to be looked at, and mounts it.
    let claim = driver.metastore().run(run).await.expect("the run").info.workspace_claim();
    world.api.hold_claim(&claim, true);
    driver.retry(run, Vec::new()).await.expect("the command is stored");
    assert_eq!(to_the_end(&driver, run).await.status, RunStatus::Succeeded);
    let is_of_run = |pod: &Value| pod["metadata"]["labels"][keys::LABEL_RUN_ID] == run.to_string();
    world.until("that Pod to go", |api| !api.pods().iter().any(is_of_run)).await;
    assert_eq!(world.api.pods().len(), 1, "that of the other run is kept");
    world.api.hold_claim(&claim, false);
    let row = driver.metastore().run(other).await.expect("the run");
    assert_eq!(names(&world.api.claims()), [row.info.workspace_claim()], "the very same was used, and has gone");
    driver.metastore().leave_to_driver_to_delete(other).await.expect("it is there");
    drive(&driver, other, &RunControl::new()).await.expect("what was left to it is done");
    assert_eq!(world.api.claims(), [] as [Value; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_and_workspace_of_a_run_that_failed_go_when_its_pipeline_says_so_and_history_stays() {
    let world =
        World::new(|key, _| if key == "read" { Act::Fail(FailureCause::User, "no") } else { Act::Succeed }).await;
    let driver = world.driver().await;
    let text = with_workspace(&["write", "read"], ", resourceTtlOnFailure: 2");
    let run = world.create(&driver, &text).await;
    assert_eq!(to_the_end(&driver, run).await.status, RunStatus::Failed);
    world.until("its phase", |api| api.pods().iter().all(|pod| pod["status"]["phase"] == "Failed")).await;
    let ended = driver.metastore().run(run).await.expect("the run").finished_at.expect("an end");
    let early = driver.sweep_pods("team").await.expect("a sweep");
    if Timestamp::now() < ended.checked_add(Duration::from_secs(2)).expect("in range") {
        assert_eq!((early.deleted, early.workspaces), (0, 0));
        assert_eq!((world.api.pods().len(), world.api.claims().len()), (1, 1));
    }
    tokio::time::sleep(Duration::from_millis(2100)).await;
    driver.sweep_pods("team").await.expect("a sweep");
    world.until_no_pods().await;
    assert_eq!(world.api.claims(), [] as [Value; 0]);
    let row = driver.metastore().run(run).await.expect("its history stays");
    assert_eq!(row.status, RunStatus::Failed);
    // Without its workspace it cannot go on.
    driver.retry(run, Vec::new()).await.expect("the command is stored");
    assert_eq!(to_the_end(&driver, run).await.status, RunStatus::Failed);
    assert_eq!((world.api.calls("create").len(), world.api.claims().len()), (2, 0), "nothing began");
}

#[tokio::test(flavor = "multi_thread")]
async fn workspace_that_cannot_be_is_refused_with_the_run() {
    let world = World::new(|_, _| Act::Succeed).await;
    let driver = world.driver().await;
    for (change, named) in [
        (("size: 2Gi", "size: ''"), "the size of the run's workspace is missing"),
        (("storageClassName: fast", "volumeName: pv"), "only accessModes and storageClassName may be set"),
    ] {
        let text = with_workspace(&["write"], "").replace(change.0, change.1);
        let error = world.try_create(&driver, &text).await.expect_err("it is refused");
        assert!(matches!(error, CreateRunError::Workspace(_)), "{error:?}");
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_list_claims_runs_what_needs_none() {
    let world = World::new(|_, _| Act::Succeed).await;
    for _ in 0..4 {
        world
            .api
            .fault("list_claims", Fault::Refuse(403, "Forbidden", "persistentvolumeclaims is forbidden".to_owned()));
    }
    assert_eq!(world.run(&crate::world::chain(1)).await.status, RunStatus::Succeeded);
    world.until_no_pods().await;
    assert_eq!(world.driver().await.sweep_pods("team").await.expect("a sweep").workspaces, 0);
}
