//! Pods that are no tasks: those that ask for inputs and outputs, and those that have nothing to do with Penstock.

use std::time::Duration;

use penstock_spec::keys;
use penstock_tests::deadline::wait_for;
use serde_json::{Value, json};

use crate::scenario::Scenario;

const LIMIT: Duration = Duration::from_secs(90);

/// A Job whose Pod has annotations and labels.
fn job(name: &str, annotations: &Value, script: &str) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"labels": {"penstock.dev/inject": "enabled"}, "annotations": annotations},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{
                        "name": "work", "image": "busybox:1.36", "command": ["sh", "-c", script],
                    }],
                },
            },
        },
    })
}

fn in_namespace(scenario: &Scenario, mut object: Value) -> Value {
    object["metadata"]["namespace"] = json!(scenario.namespace.name());
    object
}

/// The end of a Job: whether it completed, and its Pod.
fn end_of(scenario: &Scenario, name: &str) -> (bool, Value) {
    wait_for("the job to end", LIMIT, || {
        let job = scenario.namespace.get(["job", name])?;
        let conditions = job["status"]["conditions"].as_array()?.clone();
        let is = |kind: &str| conditions.iter().any(|one| one["type"] == kind && one["status"] == "True");
        if !is("Complete") && !is("Failed") {
            return None;
        }
        let pods = scenario.namespace.pods();
        let pod = pods.into_iter().find(|pod| pod["metadata"]["labels"]["job-name"] == name)?;
        Some((is("Complete"), pod))
    })
}

#[test]
fn a_job_gets_its_inputs_and_stores_its_outputs() {
    let Some(scenario) = Scenario::new("a_job_gets_its_inputs_and_stores_its_outputs") else { return };
    let root = format!("minio://mlpipeline/{}", scenario.namespace.name());
    // What one Job stores, another reads.
    let first = job(
        "first",
        &json!({"penstock.dev/outputs": format!("/out/words.txt -> {root}/words.txt\n/out/tree/ -> {root}/tree")}),
        "echo hello > /out/words.txt; mkdir -p /out/tree/deep; echo leaf > /out/tree/deep/leaf",
    );
    scenario.cluster.apply(&in_namespace(&scenario, first));
    let (completed, pod) = end_of(&scenario, "first");
    assert!(completed, "{pod:#}");
    assert_eq!(scenario.cluster.object(&format!("{root}/words.txt")).as_deref(), Some(&b"hello\n"[..]));
    assert_eq!(scenario.cluster.object(&format!("{root}/tree/deep/leaf")).as_deref(), Some(&b"leaf\n"[..]));
    assert_eq!(pod["spec"]["serviceAccountName"], "default");
    assert_no_token_of_ours(&pod);
    let manifest = scenario.cluster.object(&format!("{root}/words.txt.manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    let uris = manifest["outputs"].as_array().into_iter().flatten().map(|output| &output["uri"]);
    let expected = [format!("{root}/words.txt"), format!("{root}/tree")];
    assert_eq!(uris.collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>(), "{manifest:#}");

    let second = job(
        "second",
        &json!({
            "penstock.dev/inputs": format!("{root}/words.txt -> /in/words.txt\n{root}/tree/ -> /tree"),
            "penstock.dev/outputs": format!("/out/all -> {root}/all"),
        }),
        "cat /in/words.txt /tree/deep/leaf > /out/all",
    );
    scenario.cluster.apply(&in_namespace(&scenario, second));
    let (completed, pod) = end_of(&scenario, "second");
    assert!(completed, "{pod:#}");
    assert_eq!(scenario.cluster.object(&format!("{root}/all")).as_deref(), Some(&b"hello\nleaf\n"[..]));
}

/// What is injected brings no token, and the launcher's own files are the launcher's alone.
#[track_caller]
fn assert_no_token_of_ours(pod: &Value) {
    let named = |value: &Value| value["name"].as_str().is_some_and(|name| name.starts_with(keys::RESERVED_NAME_PREFIX));
    let volumes = pod["spec"]["volumes"].as_array().expect("volumes");
    let ours: Vec<_> = volumes.iter().filter(|volume| named(volume)).collect();
    assert!(ours.iter().any(|volume| volume["name"] == keys::VOLUME_POD), "{pod:#}");
    for volume in ours {
        assert!(!volume.to_string().contains("serviceAccountToken"), "{volume:#}");
    }
    let mounts = pod["spec"]["containers"][0]["volumeMounts"].as_array().expect("mounts");
    assert!(mounts.iter().all(|mount| mount["name"] != keys::VOLUME_POD), "{mounts:#?}");
}

/// A root that cannot be written, a user that no image knows, and the strictest rules that Kubernetes has.
#[test]
fn a_job_that_may_do_nothing_else_gets_its_inputs_and_stores_its_outputs() {
    let test = "a_job_that_may_do_nothing_else_gets_its_inputs_and_stores_its_outputs";
    let labels = [(keys::LABEL_POD_SECURITY, keys::POD_SECURITY_RESTRICTED)];
    let Some(scenario) = Scenario::with_labels(test, &labels) else { return };
    let root = format!("minio://mlpipeline/{}", scenario.namespace.name());
    let strict = |name: &str, annotations: Value, script: &str| {
        let mut job = job(name, &annotations, script);
        let spec = &mut job["spec"]["template"]["spec"];
        spec["securityContext"] = json!({
            "runAsNonRoot": true, "runAsUser": 12345, "runAsGroup": 54321, "seccompProfile": {"type": "RuntimeDefault"},
        });
        spec["containers"][0]["securityContext"] = json!({
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
        });
        scenario.cluster.apply(&in_namespace(&scenario, job));
        let (completed, pod) = end_of(&scenario, name);
        assert!(completed, "{pod:#}");
    };
    let outputs = format!("/out/user -> {root}/user\n/out/tree/ -> {root}/tree");
    let script =
        "! touch /here && umask 077 && id -u > /out/user && mkdir -p /out/tree/deep && echo leaf > /out/tree/deep/leaf";
    strict("writes", json!({ keys::ANNOTATION_OUTPUTS: outputs }), script);
    let inputs = format!("{root}/user -> /in/user\n{root}/tree/ -> /tree");
    let outputs = format!("/out/all -> {root}/all");
    let annotations = json!({keys::ANNOTATION_INPUTS: inputs, keys::ANNOTATION_OUTPUTS: outputs});
    strict("reads", annotations, "cat /in/user /tree/deep/leaf > /out/all");
    assert_eq!(scenario.cluster.object(&format!("{root}/all")).as_deref(), Some(&b"12345\nleaf\n"[..]));
}

/// The example that users copy, with another namespace and another prefix.
#[test]
fn the_documented_job_does_what_the_page_says() {
    let Some(scenario) = Scenario::new("the_documented_job_does_what_the_page_says") else { return };
    let root = format!("minio://mlpipeline/{}", scenario.namespace.name());
    let data = job(
        "data",
        &json!({"penstock.dev/outputs":
            format!("/out/report.csv -> {root}/report.csv\n/out/images/ -> {root}/images")}),
        "printf 'a\\nb\\nc\\n' > /out/report.csv; mkdir -p /out/images; touch /out/images/1.png /out/images/2.png",
    );
    scenario.cluster.apply(&in_namespace(&scenario, data));
    let (completed, pod) = end_of(&scenario, "data");
    assert!(completed, "{pod:#}");

    let page = include_str!("../../../docs/annotations.md");
    let (_, text) = page.split_once("```yaml\n").expect("an example");
    let (text, _) = text.split_once("```").expect("its end");
    let text = text.replace("namespace: team\n", &format!("namespace: {}\n", scenario.namespace.name()));
    let text = text.replace("minio://mlpipeline/team", &root);
    let (code, said) = scenario.cluster.call_with_input(&["apply", "-f", "-"], &text);
    assert!(code == Some(0) && !said.contains("Warning"), "{said}");
    let (completed, pod) = end_of(&scenario, "count-lines");
    assert!(completed, "{pod:#}");
    assert_eq!(scenario.cluster.object(&format!("{root}/lines.txt")).as_deref(), Some(&b"3\n"[..]));
    let list = scenario.cluster.object(&format!("{root}/thumbnails/list"));
    assert_eq!(list.as_deref(), Some(&b"1.png\n2.png\n"[..]));
    let manifest = scenario.cluster.object(&format!("{root}/lines.txt.manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    assert_eq!(manifest["outputs"][1]["uri"], format!("{root}/thumbnails"), "{manifest:#}");
}

#[test]
fn a_missing_output_fails_the_pod_and_says_so() {
    let Some(scenario) = Scenario::new("a_missing_output_fails_the_pod_and_says_so") else { return };
    let outputs = format!("/out/x -> minio://mlpipeline/{}/x", scenario.namespace.name());
    let job = job("nothing", &json!({"penstock.dev/outputs": outputs}), "true");
    scenario.cluster.apply(&in_namespace(&scenario, job));
    let (completed, pod) = end_of(&scenario, "nothing");
    assert!(!completed, "{pod:#}");
    let ended = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!(ended["exitCode"], 125, "{pod:#}");
    assert!(ended["message"].as_str().is_some_and(|text| text.contains("/out/x")), "{ended}");
}

#[test]
fn a_users_failure_keeps_its_exit_code() {
    let Some(scenario) = Scenario::new("a_users_failure_keeps_its_exit_code") else { return };
    let outputs = format!("/out/x -> minio://mlpipeline/{}/x", scenario.namespace.name());
    let job = job("failing", &json!({"penstock.dev/outputs": outputs}), "echo x > /out/x; exit 7");
    scenario.cluster.apply(&in_namespace(&scenario, job));
    let (completed, pod) = end_of(&scenario, "failing");
    assert!(!completed);
    assert_eq!(pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"], 7, "{pod:#}");
}

fn pod(name: &str, annotations: &Value, restart: &str, container: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {"penstock.dev/inject": "enabled"}, "annotations": annotations},
        "spec": {"restartPolicy": restart, "containers": [container]},
    })
}

#[test]
fn denials_say_what_to_change() {
    let Some(scenario) = Scenario::new("denials_say_what_to_change") else { return };
    let container = json!({"name": "work", "image": "busybox:1.36", "command": ["true"]});
    let entrypoint = json!({"name": "work", "image": "busybox:1.36"});
    let inside = format!("/out/x -> minio://mlpipeline/{}/x", scenario.namespace.name());
    for (name, annotations, restart, container, reason) in [
        ("always", json!({"penstock.dev/outputs": &inside}), "Always", &container, "restartPolicy"),
        (
            "bucket",
            json!({"penstock.dev/inputs": "s3://elsewhere/x -> /in/x"}),
            "Never",
            &container,
            "s3://elsewhere/x",
        ),
        ("command", json!({"penstock.dev/outputs": &inside}), "Never", &entrypoint, "command"),
        ("syntax", json!({"penstock.dev/inputs": "s3://mlpipeline/x /in/x"}), "Never", &container, "->"),
    ] {
        let object = in_namespace(&scenario, pod(name, &annotations, restart, container));
        let (code, text) = scenario.cluster.try_apply(&object);
        assert!(code != Some(0), "{name} was admitted");
        assert!(text.contains(reason), "{name}: {text}");
    }
}

#[test]
fn pods_that_ask_for_nothing_stay_as_they_are() {
    let Some(scenario) = Scenario::new("pods_that_ask_for_nothing_stay_as_they_are") else { return };
    let container = json!({"name": "work", "image": "busybox:1.36", "command": ["true"]});
    let mut plain = in_namespace(&scenario, pod("plain", &json!({}), "Never", &container));
    plain["metadata"]["labels"] = json!({});
    scenario.cluster.apply(&plain);
    let asks_nothing = in_namespace(&scenario, pod("nothing", &json!({}), "Never", &container));
    let (code, text) = scenario.cluster.try_apply(&asks_nothing);
    assert!(code == Some(0) && text.contains("Warning"), "{text}");
    for name in ["plain", "nothing"] {
        let pod = scenario.namespace.get(["pod", name]).expect("the Pod is there");
        assert!(pod["spec"]["initContainers"].is_null(), "{pod:#}");
        assert_eq!(pod["spec"]["containers"][0]["command"], json!(["true"]));
    }

    let elsewhere = penstock_tests::cluster::Namespace::unlabelled(scenario.cluster, "plain");
    let inputs = json!({"penstock.dev/inputs": "s3://mlpipeline/x -> /in/x"});
    let mut untouched = pod("untouched", &inputs, "Never", &container);
    untouched["metadata"]["namespace"] = json!(elsewhere.name());
    scenario.cluster.apply(&untouched);
    let pod = elsewhere.get(["pod", "untouched"]).expect("the Pod is there");
    assert!(pod["spec"]["initContainers"].is_null(), "{pod:#}");
}

#[test]
fn a_pod_that_is_injected_already_stays_as_it_is() {
    let Some(scenario) = Scenario::new("a_pod_that_is_injected_already_stays_as_it_is") else { return };
    let outputs =
        json!({"penstock.dev/outputs": format!("/out/x -> minio://mlpipeline/{}/x", scenario.namespace.name())});
    let container = json!({"name": "work", "image": "busybox:1.36", "command": ["sh", "-c", "echo x > /out/x"]});
    let first = in_namespace(&scenario, pod("first", &outputs, "Never", &container));
    scenario.cluster.apply(&first);
    let stored = scenario.namespace.get(["pod", "first"]).expect("the Pod is there");
    let mut again = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": stored["spec"]});
    again["metadata"]["name"] = json!("again");
    again["metadata"]["namespace"] = json!(scenario.namespace.name());
    again["metadata"]["labels"] = stored["metadata"]["labels"].clone();
    again["metadata"]["annotations"] = stored["metadata"]["annotations"].clone();
    scenario.cluster.apply(&again);
    let again = scenario.namespace.get(["pod", "again"]).expect("the Pod is there");
    assert_eq!(again["spec"]["initContainers"].as_array().map(Vec::len), Some(1));
    assert_eq!(again["spec"]["containers"], stored["spec"]["containers"]);
}
