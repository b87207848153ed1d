//! The ways in which a Pod dies, and the reason that is shown for each.

use std::time::Duration;

use penstock_spec::keys;
use penstock_spec::report::{Outcome, Report};
use penstock_tests::cluster;
use penstock_tests::deadline::wait_until;
use penstock_tests::pipeline::{Pipeline, Task};
use serde_json::json;

use crate::phases::{Phase, SIZE};
use crate::scenario::{Scenario, container, main_runs};
use crate::slow_store::Slow;

/// Longest time until a container that was killed has been started again.
const RESTART_LIMIT: Duration = Duration::from_secs(90);

/// Longest time from a report to the phase, on a machine that does much else.
const PHASE_LIMIT: Duration = Duration::from_secs(60);

/// The first attempt waits to be disturbed; later ones end at once.
fn disturbed() -> Task {
    Task::new("work", "if [ \"$KFP_RETRY_INDEX\" = 0 ]; then sleep 300; fi; printf done > \"$1\"")
        .output("said", "STRING")
        .retries(1)
}

fn one(task: Task) -> Pipeline {
    Pipeline::new("deaths", [task])
}

#[test]
fn a_failure_carries_the_users_exit_code() {
    let Some(scenario) = Scenario::new("a_failure_carries_the_users_exit_code") else { return };
    let pipeline = one(Task::new("work", "echo to be read; exit 3"));
    let run = scenario.run(&pipeline).run().expect_code(1).document();
    assert_eq!(run.task("work").cause.as_deref(), Some("USER"));
    let error = run.failure_of("work");
    assert!(error.contains("exited with code 3") && error.contains("to be read"), "{error}");
    let logs = scenario.penstock(&["logs", "latest", "work"]).run().expect_code(0);
    assert_eq!(logs.stdout, "to be read\n");
}

#[test]
fn a_failed_task_keeps_its_pod_for_a_look() {
    let Some(scenario) = Scenario::new("a_failed_task_keeps_its_pod_for_a_look") else { return };
    scenario.run(&one(Task::new("work", "exit 3"))).run().expect_code(1);
    // The run ends on the report, seconds before the phase follows; what is to go wrong goes wrong meanwhile.
    std::thread::sleep(Duration::from_secs(5));
    let phases = || -> Vec<String> {
        let pods = scenario.namespace.pods();
        pods.iter().map(|pod| pod["status"]["phase"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(phases().len(), 1, "the Pod is there");
    wait_until("its phase", PHASE_LIMIT, || phases() == ["Failed"]);
}

#[test]
fn f11_a_pod_deleted_before_it_runs_is_replaced() {
    let Some(scenario) = Scenario::new("f11_a_pod_deleted_before_it_runs_is_replaced") else { return };
    let mut running = scenario.run(&one(disturbed())).spawn();
    let pod = scenario.wait_for_pod(&mut running, "exists", |_| true);
    scenario.delete_pod(&pod);
    let run = running.wait().expect_code(0).document();
    assert_eq!(run.task("work").attempt, Some(2), "{run:?}");
}

#[test]
fn f11_a_pod_deleted_while_it_runs_is_replaced() {
    let Some(scenario) = Scenario::new("f11_a_pod_deleted_while_it_runs_is_replaced") else { return };
    let mut running = scenario.run(&one(disturbed())).spawn();
    let pod = scenario.wait_for_pod(&mut running, "runs", main_runs);
    scenario.delete_pod(&pod);
    let run = running.wait().expect_code(0).document();
    assert_eq!(run.task("work").attempt, Some(2), "{run:?}");
    assert_eq!(run.task("work").parameters.outputs["said"], json!("done"));
}

#[test]
fn f14_a_process_killed_for_want_of_memory_is_told_from_others() {
    let Some(scenario) = Scenario::new("f14_a_process_killed_for_want_of_memory_is_told_from_others") else { return };
    let task = Task::new("work", "tail /dev/zero").resources(json!({"resourceMemoryLimit": "32Mi"}));
    let run = scenario.run(&one(task)).run().expect_code(1).document();
    let error = run.failure_of("work");
    assert!(error.contains("OOMKilled"), "{error}");
    assert_eq!(run.task("work").cause.as_deref(), Some("USER"));
    // Where the kernel takes the whole container, the entry is gone too, and the kubelet's word is all there is.
    if cluster::state_of_the_test_cluster().is_some() && !takes_whole_containers() {
        let report = report_of_the_pod(&scenario);
        let Outcome::Failed(failure) = &report.outcome else { panic!("{report:?}") };
        assert!(failure.message.starts_with("OOMKilled") && failure.message.contains("were killed"), "{failure:?}");
        assert!(error.contains(&failure.message), "the run says something else than the report: {error}");
    }
}

/// Whether this machine, which is the node, has version 2 of control groups.
fn takes_whole_containers() -> bool {
    std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// What the launcher of the only Pod said.
fn report_of_the_pod(scenario: &Scenario) -> Report {
    let pods = scenario.namespace.pods();
    let [pod] = &*pods else { panic!("not one Pod: {pods:#?}") };
    let report = pod["metadata"]["annotations"][keys::ANNOTATION_REPORT].as_str().expect("a report on the Pod");
    serde_json::from_str(report).expect("a report")
}

#[test]
fn f15_a_killed_launcher_loses_nothing() {
    let test = "f15_a_killed_launcher_loses_nothing";
    let Some(scenario) = Scenario::new(test) else { return };
    if !cluster::is_test_cluster_or_skip(test, NODE) {
        return;
    }
    let task = Task::new("work", "sleep 8; printf done > \"$1\"").output("said", "STRING");
    let mut running = scenario.run(&one(task)).spawn();
    let pod = scenario.wait_for_pod(&mut running, "runs", main_runs);
    kill_launcher_of(&pod);
    let run = running.wait().expect_code(0).document();
    assert_eq!(run.task("work").parameters.outputs["said"], json!("done"));
}

/// Why a test can be carried out on no other cluster.
const NODE: &str = "launchers can be killed on the node only";

/// The launcher is killed while it moves an artifact; its successor goes on, in the same attempt.
fn killed_while_data_moves(test: &str, slow: Slow) {
    let Some(Phase { scenario, store, running, pod, .. }) = Phase::reach(test, slow) else { return };
    if !cluster::is_test_cluster_or_skip(test, NODE) {
        return;
    }
    assert!(store.moved(slow) < SIZE, "the artifact was there before the launcher was killed");
    kill_launcher_of(&pod);
    wait_until("the launcher to be started again", RESTART_LIMIT, || {
        let pod = scenario.namespace.get(["pod", pod.as_str()]).unwrap_or_default();
        container(&pod, keys::SIDECAR_CONTAINER).is_some_and(|launcher| launcher["restartCount"] == 1)
    });
    store.set(Slow::Nothing);
    let run = running.wait().expect_code(0).document();
    for task in ["make", "read"] {
        assert_eq!(run.task(task).attempt, Some(1), "{:?}", run.task(task));
    }
    assert_eq!(run.task("read").parameters.outputs["size"], json!(SIZE));
    scenario.assert_no_pods_left(&run);
}

#[test]
fn f15_a_launcher_killed_while_it_downloads_loses_nothing() {
    killed_while_data_moves("f15_a_launcher_killed_while_it_downloads_loses_nothing", Slow::Downloads);
}

#[test]
fn f15_a_launcher_killed_while_it_uploads_loses_nothing() {
    killed_while_data_moves("f15_a_launcher_killed_while_it_uploads_loses_nothing", Slow::Uploads);
}

/// Kills the launcher of a Pod, whose node is this machine.
fn kill_launcher_of(pod: &str) {
    let wanted = format!("PENSTOCK_POD_NAME={pod}");
    let processes = std::fs::read_dir("/proc").expect("a list of processes").flatten();
    let mut found = false;
    for process in processes {
        let path = process.path();
        let command = std::fs::read(path.join("cmdline")).unwrap_or_default();
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        let is_it = command.starts_with(b"/penstock-launcher\0sidecar")
            && environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes());
        let pid = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        if let Some(pid) = pid.filter(|_| is_it).and_then(rustix::process::Pid::from_raw) {
            found |= rustix::process::kill_process(pid, rustix::process::Signal::KILL).is_ok();
        }
    }
    assert!(found, "no launcher of {pod} was found among the processes of this machine");
}

#[test]
fn f16_a_missing_image_fails_with_the_pullers_words() {
    let Some(scenario) = Scenario::new("f16_a_missing_image_fails_with_the_pullers_words") else { return };
    let pipeline = one(Task::new("work", "true").image("penstock.test/missing:1"));
    let run = scenario.run(&pipeline).args(["--image-timeout", "4s"]).run().expect_code(1).document();
    let error = run.failure_of("work");
    assert!(error.contains("penstock.test/missing:1"), "{error}");
    scenario.assert_no_pods_left(&run);
}

#[test]
fn f16_a_bad_image_name_fails_at_once() {
    let Some(scenario) = Scenario::new("f16_a_bad_image_name_fails_at_once") else { return };
    let run = scenario.run(&one(Task::new("work", "true").image("No Such Name"))).run().expect_code(1).document();
    let error = run.failure_of("work");
    assert!(error.contains("No Such Name"), "{error}");
}

#[test]
fn f17_a_pod_that_fits_nowhere_fails_with_the_schedulers_words() {
    let Some(scenario) = Scenario::new("f17_a_pod_that_fits_nowhere_fails_with_the_schedulers_words") else { return };
    let pipeline = one(Task::new("work", "true").resources(json!({"resourceCpuRequest": "1000"})));
    let run = scenario.run(&pipeline).args(["--pending-timeout", "3s"]).run().expect_code(1).document();
    let error = run.failure_of("work");
    assert!(error.contains("Insufficient cpu"), "{error}");
    scenario.assert_no_pods_left(&run);
}

#[test]
fn f18_programs_that_cannot_start_are_told_apart() {
    let Some(scenario) = Scenario::new("f18_programs_that_cannot_start_are_told_apart") else { return };
    let missing = Task::new("missing", "").command(&["/no/such/program"]);
    let not_executable = Task::new("text", "").command(&["/etc/passwd"]);
    let run = scenario.run(&Pipeline::new("deaths", [missing, not_executable])).run().expect_code(1).document();
    let error = run.failure_of("missing");
    assert!(error.contains("/no/such/program"), "{error}");
    let error = run.failure_of("text");
    assert!(error.contains("/etc/passwd") && error.contains("may not execute it"), "{error}");
}

#[test]
fn a_deadline_ends_an_attempt() {
    let Some(scenario) = Scenario::new("a_deadline_ends_an_attempt") else { return };
    let run = scenario.run(&one(Task::new("work", "sleep 300").deadline(3))).run().expect_code(1).document();
    assert_eq!(run.task("work").cause.as_deref(), Some("TIMEOUT"), "{:?}", run.task("work"));
    assert!(run.failure_of("work").contains("timeout of 3 s"), "{}", run.failure_of("work"));
}

#[test]
fn f18_an_image_without_a_shell_runs_its_program() {
    let test = "f18_an_image_without_a_shell_runs_its_program";
    let Some(scenario) = Scenario::new(test) else { return };
    if !cluster::is_test_cluster_or_skip(test, "the image is on its node only") {
        return;
    }
    let task = Task::new("work", "").command(&["/hello"]).image("penstock.test/scratch-hello:1");
    let pipeline = one(task.output("said", "STRING").arg("from").arg("nothing"));
    let run = scenario.run(&pipeline).run().expect_code(0).document();
    let said = run.task("work").parameters.outputs["said"].as_str().unwrap_or_default().to_owned();
    assert!(said.contains("nothing"), "{said:?}");
}

#[test]
fn pods_of_a_run_go_when_it_has_succeeded() {
    let Some(scenario) = Scenario::new("pods_of_a_run_go_when_it_has_succeeded") else { return };
    let steps = ["one", "two", "three"];
    let tasks = steps.iter().enumerate().map(|(index, name)| {
        let task = Task::new(name, "true");
        if index == 0 { task } else { task.after(steps[index - 1]) }
    });
    let run = scenario.run(&Pipeline::new("chain", tasks)).run().expect_code(0).document();
    scenario.assert_no_pods_left(&run);
    penstock_tests::deadline::wait_until("every Pod to be gone", std::time::Duration::from_secs(60), || {
        scenario.namespace.pods().is_empty()
    });
    assert!(container(&json!({}), "main").is_none());
}
