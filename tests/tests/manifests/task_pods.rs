//! What the Pod of a task has to look like when all webhooks are through with it (T-15, T-18, F-19).

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::space::{Space, task_pod};

/// A way to spoil a Pod: its name, what it does, what the refusal says.
type Spoiling = (&'static str, fn(&mut Value), &'static str);

const NO_LAUNCHER: &str = "has no launcher";
const LOST_RESTARTS: &str = "lost restartPolicy Always";
const NO_ENTRY: &str = "has to start with /penstock/bin/penstock-entry";
const VOLUMES: &str = "penstock-pod is for the launcher alone";
const TOKEN: &str = "may not mount a token of a service account";
const SHARED: &str = "may not share the namespaces of its node";
const PRIVILEGED: &str = "no privileged container and no volume of type hostPath";

const SPOILINGS: [Spoiling; 20] = [
    ("no sidecar", |pod| pod["spec"]["initContainers"] = json!([]), NO_LAUNCHER),
    ("another sidecar", |pod| pod["spec"]["initContainers"][0]["name"] = json!("launcher"), NO_LAUNCHER),
    (
        "sidecar as an ordinary container",
        |pod| {
            let sidecar = pod["spec"]["initContainers"][0].take();
            pod["spec"]["initContainers"] = json!([]);
            let mut ordinary = sidecar;
            ordinary["restartPolicy"].take();
            pod["spec"]["containers"].as_array_mut().expect("containers").push(ordinary);
        },
        NO_LAUNCHER,
    ),
    (
        "restartPolicy stripped",
        |pod| {
            pod["spec"]["initContainers"][0].as_object_mut().expect("a container").remove("restartPolicy");
        },
        LOST_RESTARTS,
    ),
    ("the user's own command", |pod| pod["spec"]["containers"][0]["command"] = json!(["true"]), NO_ENTRY),
    (
        "a longer command",
        |pod| {
            pod["spec"]["containers"][0]["command"] = json!(["/penstock/bin/penstock-entry", "--help"]);
        },
        NO_ENTRY,
    ),
    (
        "no command",
        |pod| {
            pod["spec"]["containers"][0].as_object_mut().expect("a container").remove("command");
        },
        NO_ENTRY,
    ),
    ("main by another name", |pod| pod["spec"]["containers"][0]["name"] = json!("user"), NO_ENTRY),
    ("launcher's volume in main", |pod| add_mount(pod, "containers", 0, "penstock-pod", true), VOLUMES),
    ("entry's volume writable in main", |pod| set_writable(pod, 0), VOLUMES),
    ("control volume writable in main", |pod| set_writable(pod, 1), VOLUMES),
    (
        "launcher's volume in another init container",
        |pod| {
            let more = json!({"name": "more", "image": "penstock.dev/none"});
            pod["spec"]["initContainers"].as_array_mut().expect("init containers").push(more);
            add_mount(pod, "initContainers", 1, "penstock-pod", true);
        },
        VOLUMES,
    ),
    (
        "automatic token",
        |pod| pod["spec"]["automountServiceAccountToken"] = json!(true),
        "automountServiceAccountToken false",
    ),
    (
        "a token in main by another volume",
        |pod| {
            let volume =
                json!({"name": "mine", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}});
            pod["spec"]["volumes"].as_array_mut().expect("volumes").push(volume);
            add_mount(pod, "containers", 0, "mine", true);
        },
        TOKEN,
    ),
    ("hostPID", |pod| pod["spec"]["hostPID"] = json!(true), SHARED),
    ("hostIPC", |pod| pod["spec"]["hostIPC"] = json!(true), SHARED),
    ("hostNetwork", |pod| pod["spec"]["hostNetwork"] = json!(true), SHARED),
    ("shared processes", |pod| pod["spec"]["shareProcessNamespace"] = json!(true), SHARED),
    ("privileged", |pod| pod["spec"]["containers"][0]["securityContext"] = json!({"privileged": true}), PRIVILEGED),
    (
        "hostPath",
        |pod| {
            let volume = json!({"name": "node", "hostPath": {"path": "/"}});
            pod["spec"]["volumes"].as_array_mut().expect("volumes").push(volume);
        },
        PRIVILEGED,
    ),
];

fn add_mount(pod: &mut Value, list: &str, index: usize, volume: &str, is_read_only: bool) {
    let mount = json!({"name": volume, "mountPath": "/added", "readOnly": is_read_only});
    let container = &mut pod["spec"][list][index];
    match container["volumeMounts"].as_array_mut() {
        Some(mounts) => mounts.push(mount),
        None => container["volumeMounts"] = json!([mount]),
    }
}

fn set_writable(pod: &mut Value, mount: usize) {
    pod["spec"]["containers"][0]["volumeMounts"][mount].as_object_mut().expect("a mount").remove("readOnly");
}

#[tokio::test]
async fn f19_t15_a_tasks_pod_runs_as_it_should_or_not_at_all() {
    let Some(cluster) = Cluster::find_or_skip("f19_t15_a_tasks_pod_runs_as_it_should_or_not_at_all").await else {
        return;
    };
    let space = Space::new(&cluster).await;
    let admin = cluster.admin();
    let pods = space.core("pods?dryRun=All");
    admin.post(&pods, &task_pod("task", "penstock-task")).await.expect_done();
    for (case, spoil, refusal) in SPOILINGS {
        let mut pod = task_pod("task", "penstock-task");
        spoil(&mut pod);
        admin.post(&pods, &pod).await.expect_refused(case, refusal);
    }
}

/// A Pod with a token in its container main, under an account of the user's.
fn pod_with_token(account: &str, annotation: Option<&str>) -> Value {
    let mut pod = task_pod("task", account);
    let volume = json!({"name": "mine", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}});
    pod["spec"]["volumes"].as_array_mut().expect("volumes").push(volume);
    add_mount(&mut pod, "containers", 0, "mine", true);
    if let Some(annotation) = annotation {
        pod["metadata"]["annotations"]["penstock.dev/service-account"] = json!(annotation);
    }
    pod
}

#[tokio::test]
async fn t15_user_code_gets_a_token_only_of_the_account_that_was_asked_for() {
    let test = "t15_user_code_gets_a_token_only_of_the_account_that_was_asked_for";
    let Some(cluster) = Cluster::find_or_skip(test).await else { return };
    let space = Space::new(&cluster).await;
    let admin = cluster.admin();
    let pods = space.core("pods?dryRun=All");
    admin.post(&pods, &pod_with_token("other", Some("other"))).await.expect_done();
    for (case, account, annotation) in [
        ("not asked for", "other", None),
        ("another was asked for", "other", Some("penstock-task")),
        ("the account of launchers", "penstock-task", Some("penstock-task")),
        ("asked for and not given", "penstock-task", Some("other")),
    ] {
        admin.post(&pods, &pod_with_token(account, annotation)).await.expect_refused(case, TOKEN);
    }
    // Asking is no way to the launcher's volume.
    let mut pod = task_pod("task", "other");
    pod["metadata"]["annotations"]["penstock.dev/service-account"] = json!("other");
    add_mount(&mut pod, "containers", 0, "penstock-pod", true);
    admin.post(&pods, &pod).await.expect_refused("launcher's volume", VOLUMES);
}

#[tokio::test]
async fn f19_pods_of_others_may_be_all_that() {
    let Some(cluster) = Cluster::find_or_skip("f19_pods_of_others_may_be_all_that").await else { return };
    let space = Space::new(&cluster).await;
    let admin = cluster.admin();
    for (case, spoil, _) in SPOILINGS {
        let mut pod = task_pod("other", "other");
        spoil(&mut pod);
        for label in [None, Some("enabled")] {
            let mut labels = json!({"app": "mine"});
            if let Some(value) = label {
                labels["penstock.dev/inject"] = json!(value);
            }
            pod["metadata"]["labels"] = labels;
            eprintln!("{case}, label {label:?}");
            admin.post(&space.core("pods?dryRun=All"), &pod).await.expect_done();
        }
    }
}
