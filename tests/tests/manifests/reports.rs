//! Who writes reports (T-05), and what the account of task Pods may do.

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::space::{Space, plain_pod, task_pod};

const OF_REPORT: &str = "ValidatingAdmissionPolicy 'penstock-task-report'";
const NOT_OWN: &str = "is written by the launcher of that very Pod";
const FINAL: &str = "is there already, and it is final";
pub(crate) const IMAGES: &str = "the images of a task's Pod cannot be changed";
const LIMIT: usize = penstock_spec::keys::MAX_REPORT;

fn report(text: &str) -> Value {
    json!({"metadata": {"annotations": {"penstock.dev/report": text}}})
}

#[tokio::test]
async fn t05_a_launcher_reports_once_on_its_own_pod() {
    let Some(cluster) = Cluster::find_or_skip("t05_a_launcher_reports_once_on_its_own_pod").await else { return };
    let space = Space::new(&cluster).await;
    let uid = space.add_task_pod("own", "penstock-task").await;
    let launcher = space.bound("penstock-task", "own", &uid).await;
    let own = space.pod("own");
    let of = |uid: &str, text: &str| json!({"metadata": {"uid": uid, "annotations": {"penstock.dev/report": text}}});

    // The API server itself keeps a report from the successor of a Pod.
    let stranger = "00000000-0000-0000-0000-000000000000";
    launcher.patch(&own, &of(stranger, "{}")).await.expect_refused("another UID", "metadata.uid");
    let long = "é".repeat(LIMIT / 2 + 1);
    launcher.patch(&own, &of(&uid, &long)).await.expect_refused("one byte more in characters of two", "8192 bytes");
    let most = "x".repeat(LIMIT);
    launcher.patch(&own, &of(&uid, &format!("{most}x"))).await.expect_refused("one byte more", "8192 bytes");
    let written = launcher.patch(&own, &of(&uid, &most)).await.expect_done();
    assert_eq!(written["metadata"]["annotations"]["penstock.dev/report"], most);
    // An answer may get lost; asking again does no harm.
    launcher.patch(&own, &of(&uid, &most)).await.expect_done();
    launcher.patch(&own, &of(&uid, "{}")).await.expect_refused("a second report", FINAL);
    let none = json!({"metadata": {"annotations": {"penstock.dev/report": null}}});
    launcher.patch(&own, &none).await.expect_refused("no report any more", FINAL);
}

#[tokio::test]
async fn t05_a_tasks_token_changes_nothing_else() {
    let Some(cluster) = Cluster::find_or_skip("t05_a_tasks_token_changes_nothing_else").await else { return };
    let space = Space::new(&cluster).await;
    let uid = space.add_task_pod("own", "penstock-task").await;
    space.add_task_pod("neighbour", "penstock-task").await;
    let launcher = space.bound("penstock-task", "own", &uid).await;

    let annotations = "may change no annotation of its Pod but penstock.dev/report";
    let metadata = "may not change labels, finalizers or owners of its Pod";
    let spec = "may not change the specification of its Pod";
    let image = |name: &str| json!({"name": name, "image": "evil"});
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "b"});
    for (case, patch, refusal) in [
        ("a new annotation", json!({"metadata": {"annotations": {"new": "x"}}}), annotations),
        ("another value", json!({"metadata": {"annotations": {"note": "x"}}}), annotations),
        ("no annotation", json!({"metadata": {"annotations": {"note": null}}}), annotations),
        ("the plan", json!({"metadata": {"annotations": {"penstock.dev/plan": "{\"a\":1}"}}}), "annotation"),
        (
            "a report and more",
            json!({"metadata": {"annotations": {"penstock.dev/report": "{}", "new": "x"}}}),
            annotations,
        ),
        ("a new label", json!({"metadata": {"labels": {"new": "x"}}}), metadata),
        ("no label", json!({"metadata": {"labels": {"app": null}}}), metadata),
        ("the finalizer", json!({"metadata": {"finalizers": null}}), metadata),
        ("an owner", json!({"metadata": {"ownerReferences": [owner]}}), metadata),
        ("its deadline", json!({"spec": {"activeDeadlineSeconds": 1}}), spec),
    ] {
        launcher.patch(&space.pod("own"), &patch).await.expect_refused(case, refusal);
    }
    let pod = task_pod("own", "penstock-task");
    let mut containers = pod["spec"]["containers"].clone();
    containers[0]["image"] = json!("evil");
    let images = json!({"spec": {"containers": containers}});
    launcher.patch(&space.pod("own"), &images).await.expect_refused_by_either("another image", [spec, IMAGES]);
    let added = json!({"spec": {"containers": [containers[0], image("more")]}});
    launcher.patch(&space.pod("own"), &added).await.expect_refused("one more container", "");

    let bound = "may only patch the Pod that its token is bound to";
    let unbound = space.unbound("penstock-task").await;
    cluster.admin().post(&space.core("pods"), &plain_pod("plain", "other")).await.expect_done();
    launcher.patch(&space.pod("plain"), &report("{}")).await.expect_refused("another Pod", bound);
    unbound.patch(&space.pod("plain"), &report("{}")).await.expect_refused("a token bound to nothing", bound);
    // Two policies refuse this; which one is named, is open.
    launcher.patch(&space.pod("neighbour"), &report("{}")).await.expect_refused("another task's report", "token");
    unbound.patch(&space.pod("own"), &report("{}")).await.expect_refused("a token bound to nothing", "token");
    launcher.patch(&space.pod("own"), &report("{}")).await.expect_done();
}

#[tokio::test]
async fn t06_a_tasks_account_is_held_even_with_all_rights() {
    let Some(cluster) = Cluster::find_or_skip("t06_a_tasks_account_is_held_even_with_all_rights").await else { return };
    let space = Space::new(&cluster).await;
    space.add_task_pod("own", "penstock-task").await;
    let account = cluster.almighty(&space.name, "penstock-task");
    let only = "the account penstock-task may only patch Pods";
    let plain = plain_pod("new", "other");
    account.post(&space.core("pods"), &plain).await.expect_refused("create", only);
    account.delete(&space.pod("own")).await.expect_refused("delete", only);
    let label = json!({"metadata": {"labels": {"new": "x"}}});
    account.patch(&space.pod("own/status"), &label).await.expect_refused("status", only);
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "own"}});
    account.post(&space.pod("own/eviction"), &eviction).await.expect_refused("evict", only);
    let target = json!({"kind": "Node", "name": "none"});
    let binding = json!({"metadata": {"name": "own"}, "target": target});
    account.post(&space.pod("own/binding"), &binding).await.expect_refused("bind", only);
    let debugger = json!({"spec": {"ephemeralContainers": [{"name": "a", "image": "b"}]}});
    account.patch(&space.pod("own/ephemeralcontainers"), &debugger).await.expect_refused("debug", only);
    account.post(&space.pod("own/exec?command=id&container=main"), &Value::Null).await.expect_refused("exec", only);
}

#[tokio::test]
async fn t05_nobody_else_writes_a_report() {
    let Some(cluster) = Cluster::find_or_skip("t05_nobody_else_writes_a_report").await else { return };
    let space = Space::new(&cluster).await;
    let admin = cluster.admin();
    let uid = space.add_task_pod("task", "penstock-task").await;
    let other_uid = space.add_task_pod("other", "other").await;
    let (task, other) = (space.pod("task"), space.pod("other"));

    admin.patch(&task, &report("{}")).await.expect_refused("the administrator", NOT_OWN);
    admin.patch(&space.pod("task/status"), &report("{}")).await.expect_refused("by way of the status", NOT_OWN);
    let driver = cluster.account("penstock-system", "penstock");
    driver.patch(&task, &report("{}")).await.expect_refused("the driver", NOT_OWN);
    let neighbour = space.bound("other", "other", &other_uid).await;
    neighbour.patch(&task, &report("{}")).await.expect_refused("another Pod's token", NOT_OWN);
    let unbound = space.unbound("other").await;
    unbound.patch(&other, &report("{}")).await.expect_refused("a token bound to nothing", NOT_OWN);

    let mut forged = task_pod("forged", "penstock-task");
    forged["metadata"]["annotations"]["penstock.dev/report"] = json!("{}");
    admin.post(&space.core("pods"), &forged).await.expect_refused("at creation", "is created without the annotation");
    let target = json!({"kind": "Node", "name": "none"});
    for (what, keys) in
        [("annotations", json!({"penstock.dev/report": "{}"})), ("labels", json!({"penstock.dev/inject": "x"}))]
    {
        let binding = json!({"metadata": {"name": "task", (what): keys}, "target": target});
        admin.post(&space.pod("task/binding"), &binding).await.expect_refused(what, "a binding may not write");
    }

    // An account of the user's that may patch Pods cannot put a program of its own in the place of a launcher.
    let images = |list: &str| {
        let mut containers = task_pod("task", "penstock-task")["spec"][list].clone();
        containers[0]["image"] = json!("evil");
        json!({"spec": {(list): containers}})
    };
    for list in ["containers", "initContainers"] {
        neighbour.patch(&task, &images(list)).await.expect_refused(list, IMAGES);
    }

    // Under an account of the user's, a task's launcher reports as well.
    neighbour.patch(&other, &report("{}")).await.expect_done();
    neighbour.patch(&other, &report("{2}")).await.expect_refused("a second report", FINAL);
    admin
        .patch(&other, &json!({"metadata": {"annotations": {"penstock.dev/report": null}}}))
        .await
        .expect_refused("its removal", OF_REPORT);
    space.bound("penstock-task", "task", &uid).await.patch(&task, &report("{}")).await.expect_done();
}

#[tokio::test]
async fn t18_what_a_tasks_pod_is_cannot_be_changed() {
    let Some(cluster) = Cluster::find_or_skip("t18_what_a_tasks_pod_is_cannot_be_changed").await else { return };
    let space = Space::new(&cluster).await;
    let admin = cluster.admin();
    space.add_task_pod("task", "penstock-task").await;
    for (kind, key) in [
        ("labels", "penstock.dev/inject"),
        ("labels", "penstock.dev/run-id"),
        ("labels", "penstock.dev/task-id"),
        ("labels", "penstock.dev/attempt"),
        ("annotations", "penstock.dev/plan"),
        ("annotations", "penstock.dev/plan-ref"),
        ("annotations", "penstock.dev/spec-hash"),
        ("annotations", "penstock.dev/injected"),
    ] {
        let patch = json!({"metadata": {(kind): {(key): "x"}}});
        admin.patch(&space.pod("task"), &patch).await.expect_refused(key, "cannot be changed");
    }
    let unlabelled = json!({"metadata": {"labels": {"penstock.dev/inject": null}}});
    admin.patch(&space.pod("task"), &unlabelled).await.expect_refused("removal of the label", "cannot be changed");
    // What is not Penstock's, anyone may change; and the driver lets the Pod go.
    let free = json!({"metadata": {"labels": {"app": "x"}, "annotations": {"note": "x"}}});
    admin.patch(&space.pod("task"), &free).await.expect_done();
    let driver = cluster.account("penstock-system", "penstock");
    driver.patch(&space.pod("task"), &json!({"metadata": {"finalizers": null}})).await.expect_done();

    // A report from the time before somebody made a Pod into a task's.
    let mut plain = plain_pod("plain", "other");
    plain["metadata"]["annotations"] = json!({"penstock.dev/report": "{}"});
    admin.post(&space.core("pods"), &plain).await.expect_done();
    let made = json!({"metadata": {"labels": {"penstock.dev/inject": "task"}}});
    admin.patch(&space.pod("plain"), &made).await.expect_refused("a label that comes later", "cannot be changed");
    admin.patch(&space.pod("plain"), &report("{2}")).await.expect_done();
}

/// Only what a controller signs for a Secret has no claims about a Pod at all.
#[tokio::test]
async fn t05_a_token_of_a_secret_is_bound_to_no_pod() {
    let Some(cluster) = Cluster::find_or_skip("t05_a_token_of_a_secret_is_bound_to_no_pod").await else { return };
    let space = Space::new(&cluster).await;
    space.add_task_pod("own", "penstock-task").await;
    let secret = json!({
        "metadata": {"name": "legacy", "annotations": {"kubernetes.io/service-account.name": "penstock-task"}},
        "type": "kubernetes.io/service-account-token",
    });
    let admin = cluster.admin();
    admin.post(&space.core("secrets"), &secret).await.expect_done();
    let mut token = None;
    for _ in 0..200 {
        let found = admin.get(&space.core("secrets/legacy")).await.expect_done();
        token = found["data"]["token"].as_str().map(str::to_owned);
        if token.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let token = decode_base64(&token.expect("the token controller fills the Secret within 10 s"));
    let legacy = cluster.bearer(&token);
    legacy.patch(&space.pod("own"), &report("{}")).await.expect_refused("a Secret's token", "token");
}

fn decode_base64(text: &str) -> String {
    let output = std::process::Command::new("base64")
        .arg("-d")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut child = output.expect("base64 starts");
    std::io::Write::write_all(&mut child.stdin.take().expect("it is piped"), text.as_bytes()).expect("base64 reads");
    String::from_utf8(child.wait_with_output().expect("base64 ends").stdout).expect("a token is text")
}
