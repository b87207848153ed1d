//! What user code can see and do in its Pod, and what a restricted namespace says to the Pod.

use penstock_tests::pipeline::{Pipeline, Task};

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

#[test]
fn t07_no_credential_is_visible_to_user_code() {
    let Some(scenario) = Scenario::new("t07_no_credential_is_visible_to_user_code") else { return };
    scenario.run(&Pipeline::new("look", [Task::new("work", LOOK_AROUND)])).run().expect_code(0);
    let logs = scenario.penstock(&["logs", "latest", "work"]).run().expect_code(0).stdout;
    assert!(logs.contains("looked around"), "{logs}");
    let store = scenario.cluster.store();
    for (what, secret) in [("access key", &*store.access_key), ("secret key", &*store.secret_key)] {
        assert!(!logs.contains(secret), "the {what} is visible");
    }
    // Every token is a JWT, and every JWT begins like this.
    assert!(!logs.contains("eyJhbGciOi"), "a token is visible");
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

#[test]
fn a_container_without_a_network_name_resolver_of_its_own_still_stores_its_outputs() {
    let Some(scenario) = Scenario::new("a_container_stores_its_outputs") else { return };
    let script = "umask 077; mkdir \"$1\"; echo private > \"$1/file\"; chmod 600 \"$1/file\"";
    let run = scenario.run(&Pipeline::new("private", [Task::new("work", script).artifact("data")])).run();
    let run = run.expect_code(0).document();
    let uri = &run.task("work").artifacts.outputs["data"][0].uri;
    assert_eq!(scenario.cluster.object(&format!("{uri}/file")).as_deref(), Some(&b"private\n"[..]));
}
