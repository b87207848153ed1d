//! The installed Penstock as a whole: a run that it drives itself, what it measures, and what it waits for.

use std::net::SocketAddr;
use std::time::Duration;

use penstock_tests::cluster::{Cluster, SYSTEM_NAMESPACE};
use penstock_tests::deadline::{wait_for, wait_until};
use penstock_tests::document::RunDocument;
use penstock_tests::invocation::{Background, Finished};
use penstock_tests::pipeline::{Pipeline, Task};
use serde_json::json;

use crate::admin;
use crate::scenario::Scenario;

/// Longest time for a run of a few small tasks.
const RUN_LIMIT: Duration = Duration::from_secs(120);
/// Longest time until a process says something.
const START_LIMIT: Duration = Duration::from_secs(60);

/// What operators are promised, and of which kind it is.
const FAMILIES: [(&str, &str); 19] = [
    ("penstock_webhook_admissions_total", "admissions by result"),
    ("penstock_webhook_admission_seconds", "injection latency"),
    ("penstock_webhook_certificate_expiry_timestamp_seconds", "certificate expiry"),
    ("penstock_webhook_settings_last_event_timestamp_seconds", "age of the last watch event"),
    ("penstock_driver_pods", "Pods by phase"),
    ("penstock_driver_hop_seconds", "hop latency"),
    ("penstock_driver_reports_total", "reports"),
    ("penstock_driver_attempts_ended_total", "ends of attempts"),
    ("penstock_driver_retries_total", "retries by cause"),
    ("penstock_driver_queue_depth", "queue depths"),
    ("penstock_driver_runs", "runs that are driven and that wait"),
    ("penstock_driver_watch_age_seconds", "age of the last watch event"),
    ("penstock_namespace_watch_last_event_timestamp_seconds", "age of the last watch event"),
    ("penstock_namespaces", "namespaces by state"),
    ("penstock_driver_leading", "who holds the Lease"),
    ("penstock_objectstore_requests_total", "S3 requests"),
    ("penstock_objectstore_errors_total", "S3 errors"),
    ("penstock_objectstore_received_bytes_total", "S3 bytes in"),
    ("penstock_objectstore_sent_bytes_total", "S3 bytes out"),
];

/// `penstock` in the Pod that is installed.
fn installed(cluster: &Cluster, args: &[&str]) -> Finished {
    let program = ["-n", SYSTEM_NAMESPACE, "exec", "deploy/penstock", "--", "/usr/bin/penstock"];
    cluster.kubectl(program.into_iter().chain(args.iter().copied())).run()
}

/// Leaves a run to the installed driver; its id.
fn leave_to_service(scenario: &Scenario, pipeline: &Pipeline) -> String {
    let args = ["-n", SYSTEM_NAMESPACE, "exec", "-i", "deploy/penstock", "--", "/usr/bin/penstock", "run"];
    let further = ["--on", "kubernetes", "--detach", "-n", scenario.namespace.name(), "/dev/stdin"];
    let args: Vec<&str> = args.into_iter().chain(further).collect();
    let (code, text) = scenario.cluster.call_with_input(&args, &pipeline.build().to_string());
    let id = text.lines().find(|line| line.len() == 36 && line.matches('-').count() == 4);
    match (code, id) {
        (Some(0), Some(id)) if !text.contains("no driver holds") => id.to_owned(),
        _ => panic!("the run is not created ({code:?}): {text}"),
    }
}

/// The run once it has ended.
fn wait_for_end(scenario: &Scenario, run: &str) -> RunDocument {
    wait_for("the end of the run", RUN_LIMIT, || {
        let document = installed(scenario.cluster, &["get", run, "-o", "json"]).document();
        matches!(document.state.as_str(), "SUCCEEDED" | "FAILED" | "CANCELED").then_some(document)
    })
}

#[test]
fn f42_a_run_left_to_the_installed_service_ends() {
    let Some(scenario) = Scenario::new("f42_a_run_left_to_the_installed_service_ends") else { return };
    let pipeline = Pipeline::new(
        "inside",
        [
            Task::new("make", "printf 12345 > \"$1\"").artifact("data"),
            Task::new("count", "wc -c < \"$1\" > \"$2\"")
                .artifact_from("data", "make", "data")
                .output("size", "NUMBER_INTEGER"),
        ],
    );
    let run = leave_to_service(&scenario, &pipeline);
    let run = wait_for_end(&scenario, &run);
    if run.state != "SUCCEEDED" {
        panic!("{run:#?}\n{}", scenario.cluster.service_log());
    }
    assert_eq!(run.task("count").parameters.outputs["size"], json!(5));
    scenario.assert_no_pods_left(&run);
    let logs = installed(scenario.cluster, &["logs", &run.run_id, "make"]).expect_code(0);
    assert_eq!(logs.stdout, "");
}

/// The path of the installed Pod's admin port, through the API server.
fn admin_path(cluster: &Cluster) -> String {
    let pods = cluster.get(["-n", SYSTEM_NAMESPACE, "pods"]).unwrap_or_default();
    let pods = pods["items"].as_array().cloned().unwrap_or_default();
    let living = pods.iter().find(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    let name = living.and_then(|pod| pod["metadata"]["name"].as_str()).expect("a Pod of Penstock");
    format!("/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods/{name}:9090/proxy")
}

#[test]
fn t29_metrics_of_the_installed_service_are_whole_and_name_nobody() {
    let test = "t29_metrics_of_the_installed_service_are_whole_and_name_nobody";
    let Some(scenario) = Scenario::new(test) else { return };
    let flaky = "if [ \"$KFP_RETRY_INDEX\" = 0 ]; then exit 1; fi; printf done > \"$1\"";
    let tasks = [Task::new("first", flaky).artifact("data").retries(1), Task::new("second", "true").after("first")];
    let run = leave_to_service(&scenario, &Pipeline::new("measured", tasks));
    assert_eq!(wait_for_end(&scenario, &run).state, "SUCCEEDED");

    let path = admin_path(scenario.cluster);
    let raw = |what: &str| scenario.cluster.call(["get", "--raw", &format!("{path}/{what}")]);
    assert_eq!(raw("live"), "live\n");
    assert_eq!(raw("ready"), "ready\n");
    let text = raw("metrics");
    let complaints = admin::lint(&text);
    assert!(complaints.is_empty(), "{}\n{text}", complaints.join("\n"));
    let (families, _) = admin::parse(&text);
    let missing: Vec<_> = FAMILIES.iter().filter(|(name, _)| !families.contains_key(*name)).collect();
    assert!(missing.is_empty(), "missing: {missing:?}\n{text}");
    let namespace = scenario.namespace.name();
    for secret in [run.as_str(), namespace, &scenario.cluster.store().access_key] {
        assert!(!text.contains(secret), "{secret} is in the metrics");
    }
    for series in [
        "penstock_webhook_admissions_total{result=\"injected\"}",
        "penstock_webhook_admission_seconds_count",
        "penstock_driver_hop_seconds_count",
        "penstock_driver_attempts_ended_total{result=\"succeeded\"}",
        "penstock_driver_attempts_ended_total{result=\"user\"}",
        "penstock_driver_retries_total{cause=\"user\"}",
        "penstock_driver_leading",
        "penstock_namespaces{state=\"ready\"}",
        "penstock_objectstore_requests_total{operation=\"get\"}",
        "penstock_objectstore_received_bytes_total",
    ] {
        assert!(admin::value(&text, series) > 0.0, "{series} counts nothing\n{text}");
    }
}

/// A webhook of this machine that belongs to the test's namespace.
fn webhook(scenario: &Scenario, configuration: &str) -> (Background, SocketAddr) {
    let (webhook, admin) = (admin::free_address().to_string(), admin::free_address());
    let process = scenario
        .penstock(&["webhook", "--launcher-image", "penstock.test/none:1", "--webhook-service", "hook"])
        .args(["--namespace", scenario.namespace.name(), "--webhook-configuration", configuration])
        .args(["--webhook-listen", &webhook, "--admin-listen", &admin.to_string()])
        .limit(RUN_LIMIT)
        .spawn();
    (process, admin)
}

/// A configuration of the whole cluster; it goes with the value.
struct Configuration<'a>(&'a Cluster, String);

impl Drop for Configuration<'_> {
    fn drop(&mut self) {
        let _ = self.0.kubectl(["delete", "mutatingwebhookconfiguration", &self.1, "--ignore-not-found"]).run();
    }
}

impl Configuration<'_> {
    /// Nothing is ever sent by it: no Pod has its label, and a failure is ignored.
    fn apply(&self, namespace: &str, service: &str) {
        self.0.apply(&json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": self.1},
            "webhooks": [{
                "name": "inject.penstock.dev", "admissionReviewVersions": ["v1"], "sideEffects": "None",
                "failurePolicy": "Ignore",
                "clientConfig": {"service": {"name": service, "namespace": namespace, "path": "/mutate"}},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "objectSelector": {"matchLabels": {"penstock.test/none": "none"}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}],
            }],
        }));
    }
}

#[test]
fn f20_a_webhook_that_is_not_ready_says_what_it_waits_for() {
    let Some(scenario) = Scenario::new("f20_a_webhook_that_is_not_ready_says_what_it_waits_for") else { return };
    let namespace = scenario.namespace.name();
    let configuration = Configuration(scenario.cluster, namespace.to_owned());
    let (process, admin) = webhook(&scenario, &configuration.1);
    let says = |part: &str| {
        let mut last = None;
        wait_until(&format!("/ready to say {part:?}"), START_LIMIT, || {
            last = admin::get(admin, "/ready");
            last.as_ref().is_some_and(|(status, text)| *status == 503 && text.contains(part))
        });
    };
    says(&format!("there is no MutatingWebhookConfiguration {namespace}: apply the manifests"));
    assert_eq!(admin::get(admin, "/live").map(|(status, _)| status), Some(200));
    configuration.apply(namespace, "another");
    says(&format!("calls Service {namespace}/hook"));
    configuration.apply(namespace, "hook");
    let ready = || admin::get(admin, "/ready").is_some_and(|(status, text)| status == 200 && text == "ready\n");
    wait_until("the webhook to be ready", START_LIMIT, ready);
    process.signal(rustix::process::Signal::TERM);
    process.wait().expect_code(0);
}
