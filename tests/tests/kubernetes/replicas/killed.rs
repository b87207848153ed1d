//! The driver that works is killed with no chance to give anything back: the other one goes on.

use std::time::Instant;

use penstock_tests::cluster::{self, Cluster, SYSTEM_NAMESPACE};
use penstock_tests::deadline::wait_until;
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::python;
use rustix::process::{Pid, Signal, kill_process};

use super::{RUN_LIMIT, Replica, Replicas, TAKEOVER_LIMIT, pods_of, wait_for_pod_of};
use crate::admin;
use crate::database::Database;
use crate::drivers::PodWatch;
use crate::scenario::{Scenario, main_runs};

/// Kills the process in a Pod of the installation, with no chance to give anything back.
fn kill(cluster: &Cluster, pod: &str) {
    if cluster::state_of_the_test_cluster().is_none() {
        cluster.call(["-n", SYSTEM_NAMESPACE, "delete", "pod", pod, "--grace-period=0", "--force"]);
        return;
    }
    let wanted = format!("HOSTNAME={pod}");
    let is_it = |process: &std::path::Path| {
        let read = |name: &str| std::fs::read(process.join(name)).unwrap_or_default();
        read("cmdline").starts_with(b"/usr/bin/penstock\0")
            && read("environ").split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    };
    let processes = std::fs::read_dir("/proc").expect("a list of processes").flatten().map(|entry| entry.path());
    let number = |process: std::path::PathBuf| process.file_name()?.to_str()?.parse().ok().and_then(Pid::from_raw);
    let killed = processes.filter(|process| is_it(process)).filter_map(number);
    let killed = killed.filter(|pid| kill_process(*pid, Signal::KILL).is_ok()).count();
    assert_eq!(killed, 1, "the process of {pod} is not one of this machine");
}

pub(super) fn play(test: &str, scenario: &Scenario, replicas: &Replicas, database: &Database) {
    let apis = replicas.pods("penstock-apiserver");
    let [one, other] = &*apis else { panic!("not two Pods: {apis:?}") };
    let (one, other) = (Replica::of(replicas, one), Replica::of(replicas, other));
    let (works, waits) = replicas.drivers();
    let pods = PodWatch::start(scenario);

    // Whichever replica is asked, all know the same.
    // The second one ends while nobody drives.
    let steps = [("step-1", "true"), ("step-2", "sleep 12"), ("step-3", "true")];
    let chain = steps.iter().enumerate().map(|(index, (name, script))| {
        let task = Task::new(name, script);
        if index == 0 { task } else { task.after(steps[index - 1].0) }
    });
    let chain = one.submit(&Pipeline::new("chain", chain));
    let sleeper = other.submit(&Pipeline::new("sleeper", [Task::new("sleeps", "echo it sleeps; sleep 600")]));
    let failing = one.submit(&Pipeline::new("failing", [Task::new("fails", "exit 3")]));
    let (_, first) = one.call("GET", "/runs?page_size=1", None);
    let token = first["next_page_token"].as_str().expect("there are more");
    let (status, second) = other.call("GET", &format!("/runs?page_size=1&page_token={token}"), None);
    assert_eq!(status, 200, "a page token of the other replica: {second}");
    assert_ne!(first["runs"][0]["run_id"], second["runs"][0]["run_id"]);
    let pod = wait_for_pod_of(scenario, &sleeper, "sleeps");
    let path = format!("/apis/v1alpha1/runs/{sleeper}/nodes/{pod}/log");
    let address = one.url.trim_start_matches("http://").parse().expect("an address");
    let said = |text: &str| text.lines().any(|line| line == "it sleeps");
    wait_until("its log", RUN_LIMIT, || {
        admin::get(address, &path).is_some_and(|(code, text)| code == 200 && said(&text))
    });
    one.wait_for_state(&failing, "FAILED");
    wait_for_pod_of(scenario, &chain, "step-2");

    // Nobody drives now, and commands are taken all the same.
    kill(scenario.cluster, &works);
    let killed = Instant::now();
    let (status, answer) = other.call("POST", &format!("/runs/{sleeper}:terminate"), None);
    assert_eq!(status, 200, "{answer}");
    let late = one.submit(&Pipeline::new("late", [Task::new("work", "true")]));
    let (status, answer) = other.call("DELETE", &format!("/runs/{failing}"), None);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(one.call("GET", &format!("/runs/{failing}"), None).0, 404);
    assert!(!pods_of(scenario, &failing).is_empty(), "the API has no right to delete Pods");

    // The one that was killed is started again and waits as well; whoever looks first has the Lease.
    wait_until("a driver to work again", TAKEOVER_LIMIT, || replicas.leads(&waits) || replicas.leads(&works));
    python::note(test, &format!("taken over {:?} after the driver was killed", killed.elapsed()));
    for run in [&chain, &late] {
        other.wait_for_state(run, "SUCCEEDED");
    }
    one.wait_for_state(&sleeper, "FAILED");
    wait_until("the Pods of deleted and stopped runs to be gone", RUN_LIMIT, || {
        pods_of(scenario, &failing).is_empty() && !pods_of(scenario, &sleeper).iter().any(main_runs)
    });
    wait_until("the deleted run to be gone", RUN_LIMIT, || {
        database.sql(&format!("SELECT count(*) FROM runs WHERE id = '{failing}'")) == "0"
    });
    let document = one.document(scenario, &chain);
    for (step, _) in steps {
        let task = document.task(step);
        assert_eq!((task.state.as_str(), task.attempt), ("SUCCEEDED", Some(1)), "{task:?}");
    }
    for (name, uids) in pods.seen() {
        assert_eq!(uids.len(), 1, "{name} was created again");
    }
    assert!(replicas.leads(&waits) != replicas.leads(&works), "both work, or none");
}
