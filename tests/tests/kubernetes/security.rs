//! What user code can see and do in its Pod, and what a restricted namespace says to the Pod.

use std::time::Duration;

use penstock_spec::keys;
use penstock_tests::cluster::{SYSTEM_NAMESPACE, Store};
use penstock_tests::deadline::wait_for;
use penstock_tests::pipeline::{Pipeline, Task};
use serde_json::{Value, json};

use crate::scenario::Scenario;

/// Prints everything that a container can find out about itself and its neighbours.
const LOOK_AROUND: &str = r#"
env
cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\0' '\n'
cat /proc/self/mountinfo
for directory in /penstock /var/run /run /etc /tmp /s3 /minio; do
    find "$directory" -type f -size -64k 2>/dev/null | while read -r file; do echo "== $file"; cat "$file"; done
done
for process in /proc/[0-9]*; do
    find "$process/root/penstock" "$process/root/var/run" -type f -size -64k 2>/dev/null | head -100 |
        while read -r file; do echo "== $file"; cat "$file" 2>/dev/null; done
done
echo looked around
"#;

const LIMIT: Duration = Duration::from_secs(90);

/// The secrets that a text shows.
fn secrets_in(text: &str, store: &Store) -> Vec<&'static str> {
    // Every token is a JWT, and every JWT begins like this.
    let secrets = [("access key", &*store.access_key), ("secret key", &*store.secret_key), ("token", "eyJhbGciOi")];
    secrets.into_iter().filter(|(_, secret)| text.contains(secret)).map(|(name, _)| name).collect()
}

fn log_of(scenario: &Scenario, pod: &str, container: &str) -> String {
    scenario.cluster.call(["-n", scenario.namespace.name(), "logs", pod, "-c", container])
}

/// A Pod that looks around, once it has ended.
fn looks_around(scenario: &Scenario, mut pod: Value) -> Value {
    let name = pod["metadata"]["name"].as_str().expect("a name").to_owned();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["namespace"] = json!(scenario.namespace.name());
    pod["spec"]["restartPolicy"] = json!("Never");
    scenario.cluster.apply(&pod);
    wait_for("the Pod to end", LIMIT, || {
        let pod = scenario.namespace.get(["pod", name.as_str()])?;
        matches!(pod["status"]["phase"].as_str()?, "Succeeded" | "Failed").then_some(pod)
    })
}

#[test]
fn t07_no_credential_is_visible_to_user_code_or_in_a_log() {
    let Some(scenario) = Scenario::new("t07_no_credential_is_visible_to_user_code_or_in_a_log") else { return };
    // The Pod of a task that fails is kept.
    let work = Task::new("work", &format!("{LOOK_AROUND}exit 1")).artifact("data");
    let driver = scenario.run(&Pipeline::new("look", [work])).env("PENSTOCK_LOG", "debug").run().expect_code(1);
    let seen = scenario.penstock(&["logs", "latest", "work"]).run().expect_code(0).stdout;
    assert!(seen.contains("looked around"), "{seen}");
    let pods = scenario.namespace.pods();
    let [pod] = &*pods else { panic!("not one Pod: {pods:#?}") };
    let launcher = log_of(&scenario, pod["metadata"]["name"].as_str().expect("a name"), keys::SIDECAR_CONTAINER);
    let service = scenario.cluster.call(["-n", SYSTEM_NAMESPACE, "logs", "deployment/penstock", "--tail=-1"]);
    assert!(service.contains(scenario.namespace.name()), "the service says nothing of this namespace: {service}");
    assert!(!launcher.is_empty() && !driver.stderr.is_empty(), "launcher: {launcher}\ndriver: {}", driver.stderr);
    for (place, text) in [
        ("what user code sees", &seen),
        ("the launcher's log", &launcher),
        ("the driver's answer", &driver.stdout),
        ("the service's log", &service),
        ("the Pod", &pod.to_string()),
    ] {
        assert_eq!(secrets_in(text, scenario.cluster.store()), [""; 0], "in {place}");
    }
    // At this level the store's SDK says which key it signs with, though not the secret.
    let named = secrets_in(&driver.stderr, scenario.cluster.store());
    assert!(named.iter().all(|secret| *secret == "access key"), "{named:?} in the driver's log");
}

#[test]
fn t07_no_credential_is_visible_in_a_pod_that_is_no_task() {
    let Some(scenario) = Scenario::new("t07_no_credential_is_visible_in_a_pod_that_is_no_task") else { return };
    let outputs = format!("/out/x -> minio://mlpipeline/{}/x", scenario.namespace.name());
    let script = format!("{LOOK_AROUND}echo x > /out/x");
    // Its own account's token is its own matter; without one, a token that is seen is ours.
    let pod = looks_around(
        &scenario,
        json!({
            "metadata": {
                "name": "looks", "labels": {keys::LABEL_INJECT: keys::INJECT_ENABLED},
                "annotations": {keys::ANNOTATION_OUTPUTS: outputs},
            },
            "spec": {
                "automountServiceAccountToken": false,
                "containers": [{"name": "work", "image": "busybox:1.36", "command": ["sh", "-c", script]}],
            },
        }),
    );
    assert_eq!(pod["status"]["phase"], "Succeeded", "{pod:#}");
    let seen = log_of(&scenario, "looks", "work");
    assert!(seen.contains("looked around"), "{seen}");
    let launcher = log_of(&scenario, "looks", keys::SIDECAR_CONTAINER);
    for (place, text) in [("what user code sees", seen), ("the launcher's log", launcher), ("the Pod", pod.to_string())]
    {
        assert_eq!(secrets_in(&text, scenario.cluster.store()), [""; 0], "in {place}");
    }
}

/// The same search in a Pod that has all of them.
#[test]
fn t07_the_search_finds_what_is_there() {
    let Some(scenario) = Scenario::new("t07_the_search_finds_what_is_there") else { return };
    let keys = json!({"secretRef": {"name": "mlpipeline-minio-artifact"}});
    looks_around(
        &scenario,
        json!({
            "metadata": {"name": "knows"},
            "spec": {"containers": [{
                "name": "work", "image": "busybox:1.36", "command": ["sh", "-c", LOOK_AROUND], "envFrom": [keys],
            }]},
        }),
    );
    let seen = log_of(&scenario, "knows", "work");
    assert_eq!(secrets_in(&seen, scenario.cluster.store()), ["access key", "secret key", "token"]);
}

/// T-04, I-16: the launcher must not send what it alone can read, nor wait for ever.
fn odd_output(test: &str, script: &str, reason: &str) {
    let Some(scenario) = Scenario::new(test) else { return };
    let run = scenario.run(&Pipeline::new("odd", [Task::new("work", script).artifact("data")])).run();
    let run = run.expect_code(1).document();
    let error = run.failure_of("work");
    assert!(error.contains(reason), "{error}");
    assert_eq!(run.task("work").cause.as_deref(), Some("OUTPUT"), "{error}");
}

#[test]
fn t04_a_link_to_the_launchers_secrets_is_refused() {
    odd_output("t04_a_link_to_the_launchers_secrets_is_refused", "ln -s /penstock/pod/token \"$1\"", "symbolic link");
}

#[test]
fn t04_a_link_within_a_directory_is_refused() {
    let script = "mkdir \"$1\"; ln -s /penstock/pod \"$1/pod\"";
    odd_output("t04_a_link_within_a_directory_is_refused", script, "symbolic link");
}

#[test]
fn t04_a_pipe_is_refused_at_once() {
    odd_output("t04_a_pipe_is_refused_at_once", "mkfifo \"$1\"", "FIFO");
}

#[test]
fn restricted_namespaces_admit_tasks() {
    let labels = [("pod-security.kubernetes.io/enforce", "restricted")];
    let Some(scenario) = Scenario::with_labels("restricted_namespaces_admit_tasks", &labels) else { return };
    let task = Task::new("work", "id -u > \"$1\"").output("user", "STRING");
    let run = scenario.run(&Pipeline::new("restricted", [task])).run().expect_code(0).document();
    assert_ne!(run.task("work").parameters.outputs["user"], "0\n");
}

/// Neither root, nor the launcher's own user, nor one that the image knows.
#[test]
fn a_task_under_another_user_stores_what_only_that_user_may_read() {
    let test = "a_task_under_another_user_stores_what_only_that_user_may_read";
    let labels = [("pod-security.kubernetes.io/enforce", "restricted")];
    let Some(scenario) = Scenario::with_labels(test, &labels) else { return };
    let script = "umask 077; echo $(id -u) $(id -g) > \"$1\"; mkdir \"$2\"; echo private > \"$2/file\"";
    let make = Task::new("make", script).output("user", "STRING").artifact("data");
    let read = Task::new("read", "cat \"$1/file\" > \"$2\"").artifact_from("data", "make", "data");
    let pipeline = Pipeline::new("user", [make, read.output("text", "STRING")]);
    let user = ["--task-run-as-user", "1234", "--task-run-as-group", "4321"];
    let run = scenario.run(&pipeline).args(user).run().expect_code(0).document();
    assert_eq!(run.task("make").parameters.outputs["user"], json!("1234 4321\n"));
    assert_eq!(run.task("read").parameters.outputs["text"], json!("private\n"));
}

#[test]
fn a_container_without_a_network_name_resolver_of_its_own_still_stores_its_outputs() {
    let Some(scenario) = Scenario::new("a_container_stores_its_outputs") else { return };
    let script = "umask 077; mkdir \"$1\"; echo private > \"$1/file\"; chmod 600 \"$1/file\"";
    let run = scenario.run(&Pipeline::new("private", [Task::new("work", script).artifact("data")])).run();
    let run = run.expect_code(0).document();
    let uri = &run.task("work").artifacts.outputs["data"][0].uri;
    assert_eq!(scenario.cluster.object(&format!("{uri}/file")).as_deref(), Some(&b"private\n"[..]));
}
