//! What the controller does about what happens to namespaces.

use std::time::Duration;

use hyper::Method;
use penstock_driver::StoreEndpoints;
use penstock_driver::namespaces::{NamespaceController, NamespaceControllerSettings, NamespaceState};
use penstock_spec::keys;
use penstock_spec::settings::{NamespaceSettings, RunAs};
use prometheus::Registry;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::fake_api::FakeApi;

const OWN: [(&str, &str); 4] = [
    ("serviceaccounts", keys::TASK_SERVICE_ACCOUNT),
    ("roles", keys::TASK_ROLE),
    ("rolebindings", keys::TASK_ROLE),
    ("configmaps", keys::SETTINGS_CONFIG_MAP),
];

/// How long Pods of a namespace that is being deleted are left to their own driver.
const HOLD: Duration = Duration::from_millis(700);

/// A controller at work.
struct Running {
    api: FakeApi,
    controller: NamespaceController,
    registry: Registry,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{:#?}\n{}", self.controller.status(), self.api.log());
        }
    }
}

impl Running {
    async fn start() -> Running {
        Running::on(FakeApi::start().await)
    }

    fn on(api: FakeApi) -> Running {
        Running::with(api, None)
    }

    fn with(api: FakeApi, driver_endpoints: Option<StoreEndpoints>) -> Running {
        let registry = Registry::new();
        let settings = NamespaceControllerSettings {
            driver_endpoints,
            request_timeout: Duration::from_secs(5),
            watch_timeout: Duration::from_secs(1),
            hold: HOLD,
            retry: (Duration::from_millis(50), Duration::from_millis(500)),
            ..NamespaceControllerSettings::default()
        };
        let controller = NamespaceController::new(api.client(), settings, &registry).unwrap();
        let (stop, stopped) = oneshot::channel();
        let working = controller.clone();
        let task = tokio::spawn(async move { working.run(async move { drop(stopped.await) }).await });
        Running { api, controller, registry, stop: Some(stop), task: Some(task) }
    }

    async fn end(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(5), self.task.take().unwrap()).await.unwrap().unwrap();
        assert!(self.controller.status().is_empty());
    }

    fn label(&self, namespace: &str) {
        self.api.put("namespaces", "", namespace, &json!({"metadata": {"labels": {keys::LABEL_NAMESPACE: "enabled"}}}));
    }

    fn has_all(&self, namespace: &str) -> bool {
        OWN.iter().all(|(resource, name)| self.api.get(resource, namespace, name).is_some())
    }

    fn has_none(&self, namespace: &str) -> bool {
        OWN.iter().all(|(resource, name)| self.api.get(resource, namespace, name).is_none())
    }

    fn state(&self, namespace: &str) -> Option<NamespaceState> {
        self.controller.status().get(namespace).map(|status| status.state)
    }

    fn problems(&self, namespace: &str) -> String {
        self.controller.status().get(namespace).map(|status| status.problems.join("\n")).unwrap_or_default()
    }

    fn settings(&self, namespace: &str) -> NamespaceSettings {
        let map = self.api.get("configmaps", namespace, keys::SETTINGS_CONFIG_MAP).unwrap();
        serde_json::from_str(map["data"][keys::POD_SETTINGS_FILE].as_str().unwrap()).unwrap()
    }

    fn writes(&self) -> usize {
        self.api.requests("PATCH") + self.api.requests("DELETE")
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not within 20 s: {what}");
}

#[tokio::test]
async fn namespace_whose_tasks_store_elsewhere_than_the_driver_looks_is_told() {
    let elsewhere = StoreEndpoints::of_one(Some("http://other:9000"));
    let running = Running::with(FakeApi::start().await, Some(elsewhere));
    running.label("team");
    let warnings =
        || running.controller.status().get("team").map(|status| status.warnings.join("\n")).unwrap_or_default();
    until("the warning", || warnings().contains("http://other:9000")).await;
    assert!(warnings().contains("minio://mlpipeline at http://minio-service.kubeflow:9000"), "{}", warnings());
    assert_eq!(running.state("team"), Some(NamespaceState::Ready), "it may be the same store by another name");
    let says_so = |event: &Value| event["note"].as_str().is_some_and(|note| note.contains("http://other:9000"));
    until("its people are told", || running.api.list("events").iter().any(says_so)).await;
    running.end().await;
}

async fn a_while() {
    tokio::time::sleep(Duration::from_millis(400)).await;
}

#[tokio::test]
async fn label_alone_brings_everything_and_steady_state_writes_nothing() {
    let running = Running::start().await;
    running.api.put("namespaces", "", "other", &json!({}));
    running.label("team");
    until("everything is there", || running.has_all("team")).await;
    until("ready", || running.state("team") == Some(NamespaceState::Ready)).await;
    assert!(running.controller.waits_for().is_empty());
    assert!(running.has_none("other"));
    assert_eq!(running.state("other"), None);
    let account = running.api.get("serviceaccounts", "team", "penstock-task").unwrap();
    assert_eq!(account["automountServiceAccountToken"], false);
    assert_eq!(account["metadata"]["labels"][keys::LABEL_MANAGED_BY], keys::MANAGED_BY);
    let settings = running.settings("team");
    assert_eq!(settings, NamespaceSettings::kfp_default("http://minio-service.kubeflow:9000"));

    assert_eq!(running.writes(), 4);
    for turn in 0..5 {
        running.api.edit("namespaces", "", "team", &json!({"metadata": {"annotations": {"turn": turn.to_string()}}}));
        a_while().await;
    }
    assert_eq!(running.writes(), 4, "nothing differs, so nothing is written");
    let gauge = running.registry.gather().into_iter().find(|family| family.name() == "penstock_namespaces").unwrap();
    let ready = gauge.get_metric().iter().find(|metric| metric.get_label()[0].value() == "ready").unwrap();
    assert_eq!(ready.get_gauge().get_value(), 1.0);
    running.end().await;
}

#[tokio::test]
async fn what_somebody_changes_or_deletes_is_put_back() {
    let running = Running::start().await;
    running.label("team");
    until("everything is there", || running.has_all("team")).await;
    for (resource, name) in OWN {
        running.api.remove(resource, "team", name);
        until("it is back", || running.has_all("team")).await;
    }
    let api = &running.api;
    api.edit(
        "roles",
        "team",
        "penstock-task",
        &json!({"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}),
    );
    until("T-06: the role is narrow again", || {
        api.get("roles", "team", "penstock-task").unwrap()["rules"][0]["verbs"] == json!(["patch"])
    })
    .await;
    api.edit(
        "configmaps",
        "team",
        "penstock-settings",
        &json!({"metadata": {"labels": {keys::LABEL_MANAGED_BY: null}}}),
    );
    until("our label is back", || {
        api.get("configmaps", "team", "penstock-settings").unwrap()["metadata"]["labels"][keys::LABEL_MANAGED_BY]
            == keys::MANAGED_BY
    })
    .await;
    api.edit("rolebindings", "team", "penstock-task", &json!({"roleRef": {"name": "admin"}}));
    until("the binding is another object", || {
        let binding = api.get("rolebindings", "team", "penstock-task");
        binding.is_some_and(|binding| binding["roleRef"]["name"] == keys::TASK_ROLE)
    })
    .await;
    running.end().await;
}

#[tokio::test]
async fn without_the_label_ours_goes_when_no_pod_needs_it() {
    let running = Running::start().await;
    running.label("team");
    until("everything is there", || running.has_all("team")).await;
    let pod = |phase: &str| json!({"metadata": {"labels": {keys::LABEL_INJECT: "task"}}, "status": {"phase": phase}});
    running.api.put("pods", "team", "task-1", &pod("Running"));
    running.api.put("pods", "team", "theirs", &json!({"status": {"phase": "Running"}}));
    running.api.edit("namespaces", "", "team", &json!({"metadata": {"labels": {keys::LABEL_NAMESPACE: null}}}));
    until("it waits for the Pod", || running.state("team") == Some(NamespaceState::Draining)).await;
    assert!(running.has_all("team"));
    // One of them is not ours any more.
    running.api.edit(
        "roles",
        "team",
        "penstock-task",
        &json!({"metadata": {"labels": {keys::LABEL_MANAGED_BY: "me"}}}),
    );
    running.api.put("pods", "team", "task-1", &pod("Succeeded"));
    until("ours is gone", || running.api.get("serviceaccounts", "team", "penstock-task").is_none()).await;
    until("all of ours is gone", || running.api.get("configmaps", "team", "penstock-settings").is_none()).await;
    assert!(running.api.get("roles", "team", "penstock-task").is_some(), "what is not ours stays");
    until("nothing is said of it", || running.state("team").is_none()).await;
    running.label("team");
    until("everything is back", || running.has_all("team")).await;
    running.end().await;
}

#[tokio::test]
async fn f01_label_that_went_while_nobody_looked_is_seen_at_the_start() {
    let running = Running::start().await;
    running.label("team");
    until("everything is there", || running.has_all("team")).await;
    let api = running.api.clone();
    running.end().await;
    api.edit("namespaces", "", "team", &json!({"metadata": {"labels": {keys::LABEL_NAMESPACE: "no"}}}));
    let running = Running::on(api);
    until("ours is gone", || running.has_none("team")).await;
    running.end().await;
}

#[tokio::test]
async fn r11_namespace_that_fails_holds_up_no_other() {
    let running = Running::start().await;
    running.api.fail(Method::PATCH, "/namespaces/bad/roles", 403, usize::MAX);
    running.api.fail(Method::GET, "/namespaces/worse/", 500, usize::MAX);
    for namespace in ["bad", "worse", "good-1", "good-2"] {
        running.label(namespace);
    }
    until("the others are there", || running.has_all("good-1") && running.has_all("good-2")).await;
    until("the reason is known", || running.problems("bad").contains("403")).await;
    assert_eq!(running.state("bad"), Some(NamespaceState::Failing));
    assert_eq!(
        running.problems("bad"),
        "cannot apply Role bad/penstock-task: the API server answers 403: a fault that a test asked for"
    );
    assert!(running.api.get("configmaps", "bad", "penstock-settings").is_some(), "the rest of it is there");
    until("its people are told", || {
        running.api.list("events").iter().any(|event| event["note"].as_str().unwrap_or("").contains("apply Role"))
    })
    .await;
    running.label("late");
    until("so is a new one", || running.has_all("late")).await;
    running.api.heal();
    until("it recovers", || running.has_all("bad") && running.has_all("worse")).await;
    until("it is ready", || running.state("worse") == Some(NamespaceState::Ready)).await;
    running.end().await;
}

#[tokio::test]
async fn configuration_is_followed_and_what_is_wrong_with_it_is_said() {
    let running = Running::start().await;
    let api = &running.api;
    let config = |providers: &str| json!({"data": {"defaultPipelineRoot": "s3://team/runs", "providers": providers}});
    api.put(
        "configmaps",
        "team",
        "kfp-launcher",
        &config("s3: {default: {region: here, credentials: {fromEnv: true}}}"),
    );
    api.put("configmaps", "elsewhere", "kfp-launcher", &config("["));
    running.label("team");
    until("ready", || running.state("team") == Some(NamespaceState::Ready)).await;
    assert_eq!(running.settings("team").default_root, "s3://team/runs");
    assert_eq!(running.settings("team").allowed_prefixes, ["s3://team"]);
    let region = || running.settings("team").stores.iter().find_map(|store| store.region.clone());
    assert_eq!(region().as_deref(), Some("here"));

    api.put("configmaps", "team", "kfp-launcher", &config("s3: [what"));
    until("degraded", || running.state("team") == Some(NamespaceState::Degraded)).await;
    assert!(
        running.problems("team").starts_with("ConfigMap kfp-launcher, key providers: "),
        "{}",
        running.problems("team")
    );
    assert_eq!(region().as_deref(), Some("here"), "the last good settings stay");
    let events = || -> Vec<Value> {
        api.list("events").into_iter().filter(|event| event["metadata"]["namespace"] == "team").collect()
    };
    until("its people are told", || events().len() == 1).await;
    let event = events().remove(0);
    assert_eq!((&event["type"], &event["regarding"]["kind"]), (&json!("Warning"), &json!("Namespace")));
    assert!(event["note"].as_str().unwrap().contains("key providers"), "{event}");
    for turn in 0..3 {
        api.edit("namespaces", "", "team", &json!({"metadata": {"annotations": {"turn": turn.to_string()}}}));
        a_while().await;
    }
    assert_eq!(events().len(), 1, "once");

    api.put(
        "configmaps",
        "team",
        "kfp-launcher",
        &config("s3: {default: {region: there, credentials: {fromEnv: true}}}"),
    );
    until("the new settings hold", || region().as_deref() == Some("there")).await;
    until("ready again", || running.state("team") == Some(NamespaceState::Ready)).await;
    let prefixes = json!({"metadata": {"annotations": {keys::ANNOTATION_ALLOWED_PREFIXES: "s3://data, s3://more/x"}}});
    api.edit("namespaces", "", "team", &prefixes);
    until("the annotation counts", || running.settings("team").allowed_prefixes == ["s3://data", "s3://more/x"]).await;
    api.remove("configmaps", "team", "kfp-launcher");
    until("KFP's defaults hold", || running.settings("team").default_root == "minio://mlpipeline/v2/artifacts").await;
    running.end().await;
}

#[tokio::test]
async fn namespace_that_takes_no_root_says_who_its_tasks_run_as() {
    let running = Running::start().await;
    let api = &running.api;
    running.label("team");
    until("ready", || running.state("team") == Some(NamespaceState::Ready)).await;
    let run_as = || running.settings("team").tasks.run_as;
    assert_eq!(run_as(), RunAs::default());
    let label = |value: Value| json!({"metadata": {"labels": {keys::LABEL_POD_SECURITY: value}}});
    api.edit("namespaces", "", "team", &label(json!("restricted")));
    let nobody = RunAs { user: Some(65532), group: Some(65532), non_root: Some(true) };
    until("the label counts", || run_as() == nobody).await;
    let user = |value: Value| json!({"metadata": {"annotations": {keys::ANNOTATION_RUN_AS_USER: value}}});
    api.edit("namespaces", "", "team", &user(json!("1000")));
    until("the annotation counts", || run_as() == RunAs { user: Some(1000), ..nobody }).await;
    assert_eq!(running.state("team"), Some(NamespaceState::Ready));

    api.edit("namespaces", "", "team", &user(json!("me")));
    until("degraded", || running.state("team") == Some(NamespaceState::Degraded)).await;
    until("the default holds", || run_as() == nobody).await;
    let says_so = |event: &Value| event["note"].as_str().is_some_and(|note| note.contains("run-as-user: \"me\""));
    until("its people are told", || api.list("events").iter().any(says_so)).await;
    api.edit("namespaces", "", "team", &user(Value::Null));
    api.edit("namespaces", "", "team", &label(Value::Null));
    until("nothing is left of it", || run_as() == RunAs::default()).await;
    until("ready again", || running.state("team") == Some(NamespaceState::Ready)).await;
    running.end().await;
}

#[tokio::test]
async fn f40_namespace_that_is_being_deleted_is_left_alone() {
    let running = Running::start().await;
    running.label("team");
    until("everything is there", || running.has_all("team")).await;
    let going = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
    running.api.edit("namespaces", "", "team", &going);
    until("it is known", || running.state("team") == Some(NamespaceState::Terminating)).await;
    let writes = running.writes();
    for (resource, name) in OWN {
        running.api.remove(resource, "team", name);
    }
    a_while().await;
    assert_eq!(running.writes(), writes);
    running.api.remove("namespaces", "", "team");
    until("nothing is said of it", || running.state("team").is_none()).await;
    running.end().await;
}

/// R3: the process that drives a Pod's run may be gone for good.
#[tokio::test]
async fn f40_pods_do_not_keep_a_namespace_that_is_being_deleted() {
    let running = Running::start().await;
    let api = &running.api;
    let going = json!({"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 60});
    let pod = |namespace: &str, name: &str, inject: &str, phase: &str, going: &Value| {
        let mut metadata =
            json!({"labels": {keys::LABEL_INJECT: inject}, "finalizers": ["other/one", keys::FINALIZER]});
        metadata.as_object_mut().unwrap().extend(going.as_object().cloned().unwrap_or_default());
        let spec = json!({"nodeName": "n", "containers": []});
        api.put("pods", namespace, name, &json!({"metadata": metadata, "spec": spec, "status": {"phase": phase}}));
    };
    for namespace in ["team", "stays"] {
        running.label(namespace);
        pod(namespace, "over", keys::INJECT_TASK, "Failed", &going);
    }
    pod("team", "runs", keys::INJECT_TASK, "Running", &going);
    pod("team", "foreign", keys::INJECT_ENABLED, "Failed", &going);
    // It lost its label, and everything of ours but the Pod.
    api.put("namespaces", "", "bare", &json!({}));
    pod("bare", "over", keys::INJECT_TASK, "Succeeded", &going);
    until("everything is there", || running.has_all("team") && running.has_all("stays")).await;
    let held = |namespace: &str, name: &str| {
        api.get("pods", namespace, name).unwrap()["metadata"]["finalizers"] == json!(["other/one", keys::FINALIZER])
    };
    let deleted = std::time::Instant::now();
    for namespace in ["team", "bare"] {
        api.edit("namespaces", "", namespace, &json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}));
    }
    api.fail(Method::PATCH, "/pods/over", 503, 1);
    until("they are let go", || !held("team", "over") && !held("bare", "over")).await;
    assert!(deleted.elapsed() >= HOLD, "their driver had no time: {:?}", deleted.elapsed());
    assert_eq!(api.get("pods", "team", "over").unwrap()["metadata"]["finalizers"], json!(["other/one"]));
    a_while().await;
    assert!(held("team", "runs"), "it may report");
    assert!(held("team", "foreign") && held("stays", "over"));
    pod("team", "runs", keys::INJECT_TASK, "Failed", &going);
    until("it is let go when it is over", || !held("team", "runs")).await;
    for name in ["runs", "over", "foreign"] {
        api.remove("pods", "team", name);
    }
    for namespace in ["team", "bare"] {
        api.remove("namespaces", "", namespace);
    }
    until("nothing is said of them", || running.controller.status().keys().eq(["stays"])).await;
    running.end().await;
}

/// F-05, F-06: what happened while a watch was broken or silent is found.
#[tokio::test]
async fn f05_f06_broken_and_silent_watches_lose_nothing() {
    let running = Running::start().await;
    running.label("team");
    until("everything is there", || running.has_all("team")).await;
    // What making them has set off is over.
    a_while().await;
    running.api.silence(true);
    running.api.remove("roles", "team", "penstock-task");
    let removed = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!running.has_all("team"), "the fault did not happen");
    running.api.silence(false);
    until("F-05: the silence is noticed", || running.has_all("team")).await;
    println!("noticed after {:?}", removed.elapsed());

    running.api.fail(Method::GET, "/serviceaccounts", 503, 3);
    running.api.remove("serviceaccounts", "team", "penstock-task");
    running.api.compact();
    until("F-06: the deletion is derived from the list", || running.has_all("team")).await;
    running.end().await;
}
