//! F-36: two drivers over one store; and what a driver does about Pods whose own driver is gone for good (F-40).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use penstock_spec::keys;
use penstock_tests::cluster::{Namespace, SYSTEM_NAMESPACE};
use penstock_tests::deadline::{wait_for, wait_until};
use penstock_tests::document::RunDocument;
use penstock_tests::invocation::Background;
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::python;
use penstock_tests::sandbox::Sandbox;
use rustix::process::Signal;
use serde_json::Value;

use crate::admin;
use crate::scenario::{Scenario, main_runs};

/// Longest time until a process answers.
const START_LIMIT: Duration = Duration::from_secs(60);
/// A Lease that is not renewed is taken over after 15 s, by one that looks every 3 s; the rest is for a busy machine.
const TAKEOVER_LIMIT: Duration = Duration::from_secs(60);
/// Longest time for a chain of small tasks.
const RUN_LIMIT: Duration = Duration::from_secs(120);
/// How long a driver that was frozen is watched.
const AFTERMATH: Duration = Duration::from_secs(10);
/// Longest time until a namespace is gone: its Pods' grace period, half a minute for their own driver, and a busy machine.
const DELETION_LIMIT: Duration = Duration::from_secs(240);

/// A driver of this machine.
pub(crate) struct Host {
    process: Background,
    admin: SocketAddr,
}

impl Host {
    /// With the store of a scenario.
    pub(crate) fn start(scenario: &Scenario) -> Host {
        Host::over(scenario, &scenario.sandbox, scenario.namespace.name())
    }

    /// With the store of a sandbox, and its Lease in a namespace.
    fn over(scenario: &Scenario, sandbox: &Sandbox, namespace: &str) -> Host {
        // Namespaces are looked after by the installed driver too: both want the same.
        let settings =
            scenario.cluster.get(["-n", SYSTEM_NAMESPACE, "configmap", "penstock"]).expect("it is installed");
        let endpoint = settings["data"]["PENSTOCK_STORE_ENDPOINT"].as_str().expect("its store").to_owned();
        let admin = admin::free_address();
        let process = scenario
            .namespace
            .penstock(sandbox)
            .args(["driver", "--namespace", namespace, "--store-endpoint", &endpoint])
            .args(["--admin-listen", &admin.to_string()])
            .env("PENSTOCK_LOG", "info")
            .limit(Duration::from_secs(300))
            .spawn();
        let host = Host { process, admin };
        wait_until("the driver to be ready", START_LIMIT, || {
            admin::get(admin, "/ready").is_some_and(|(status, _)| status == 200)
        });
        host
    }

    fn metric(&self, series: &str) -> f64 {
        admin::get(self.admin, "/metrics").map_or(0.0, |(_, text)| admin::value(&text, series))
    }

    fn leads(&self) -> bool {
        self.metric("penstock_driver_leading") > 0.0
    }

    pub(crate) fn wait_until_it_leads(&self) -> Duration {
        let since = Instant::now();
        wait_until("the driver to lead", TAKEOVER_LIMIT, || self.leads());
        since.elapsed()
    }
}

/// Two drivers of which the first leads, and a run that is left to them.
struct Pair {
    scenario: Scenario,
    first: Host,
    second: Host,
    run: String,
    pods: PodWatch,
}

impl Pair {
    fn start(test: &str, steps: &[&str]) -> Option<Pair> {
        let scenario = Scenario::new(test)?;
        let first = Host::start(&scenario);
        first.wait_until_it_leads();
        let second = Host::start(&scenario);
        let pods = PodWatch::start(&scenario);
        let tasks = steps.iter().enumerate().map(|(index, name)| {
            let task = Task::new(name, "sleep 2");
            if index == 0 { task } else { task.after(steps[index - 1]) }
        });
        let file = scenario.sandbox.write_pipeline("chain.json", &Pipeline::new("chain", tasks).build());
        let created = scenario.penstock(&["run", "--on", "kubernetes", "--detach"]).arg(file).run().expect_code(0);
        assert!(!created.stderr.contains("no driver holds"), "{}", created.stderr);
        let run = created.stdout.trim().to_owned();
        Some(Pair { scenario, first, second, run, pods })
    }

    fn wait_for_pod(&self, step: &str) {
        wait_until(&format!("the Pod of {step}"), RUN_LIMIT, || {
            let is_it = |pod: &Value| pod["metadata"]["name"].as_str().is_some_and(|name| name.contains(step));
            self.scenario.namespace.pods().iter().any(|pod| is_it(pod) && main_runs(pod))
        });
    }

    /// The run as `penstock get` shows it.
    fn text(&self) -> String {
        self.scenario.penstock(&["get", &self.run, "-o", "json"]).run().expect_code(0).stdout
    }

    fn wait_for_end(&self) -> RunDocument {
        wait_for("the end of the run", RUN_LIMIT, || {
            let run: RunDocument = serde_json::from_str(&self.text()).expect("a run");
            matches!(run.state.as_str(), "SUCCEEDED" | "FAILED" | "CANCELED").then_some(run)
        })
    }

    /// No task lost, none run or accepted twice.
    fn assert_each_ran_once(&self, run: &RunDocument, steps: &[&str]) {
        assert_eq!(run.state, "SUCCEEDED", "{run:#?}");
        for step in steps {
            let task = run.task(step);
            assert_eq!((task.state.as_str(), task.attempt), ("SUCCEEDED", Some(1)), "{task:?}");
        }
        for (name, uids) in self.pods.seen() {
            assert_eq!(uids.len(), 1, "{name} was created again");
        }
        assert_eq!(self.pods.seen().len(), steps.len(), "{:?}", self.pods.seen());
    }
}

/// The UIDs of each name.
type Seen = BTreeMap<String, BTreeSet<String>>;

/// Every Pod that was ever in a namespace.
pub(crate) struct PodWatch {
    seen: Arc<std::sync::Mutex<Seen>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl PodWatch {
    pub(crate) fn start(scenario: &Scenario) -> PodWatch {
        let (seen, is_over) = (Arc::<std::sync::Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let (cluster, namespace) = (scenario.cluster, scenario.namespace.name().to_owned());
        let (notes, ends) = (Arc::clone(&seen), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                let list = cluster.get(["-n", &namespace, "pods"]).unwrap_or_default();
                for pod in list["items"].as_array().into_iter().flatten() {
                    let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default().to_owned();
                    notes.lock().expect("no panic").entry(text("name")).or_default().insert(text("uid"));
                }
                std::thread::sleep(Duration::from_millis(300));
            }
        });
        PodWatch { seen, is_over, thread: Some(thread) }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().expect("no panic").clone()
    }
}

impl Drop for PodWatch {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
fn f36_a_second_driver_takes_over_from_one_that_was_killed() {
    let test = "f36_a_second_driver_takes_over_from_one_that_was_killed";
    let steps = ["step-1", "step-2", "step-3", "step-4", "step-5", "step-6"];
    let Some(pair) = Pair::start(test, &steps) else { return };
    pair.wait_for_pod("step-3");
    assert!(pair.first.leads() && !pair.second.leads(), "both work, or none");
    assert_eq!(pair.first.metric("penstock_driver_runs{state=\"driven\"}"), 1.0);
    assert_eq!(pair.second.metric("penstock_driver_runs{state=\"driven\"}"), 0.0);
    pair.first.process.signal(Signal::KILL);
    let took = pair.second.wait_until_it_leads();
    python::note(test, &format!("taken over {took:?} after the first was killed"));
    let run = pair.wait_for_end();
    pair.assert_each_ran_once(&run, &steps);
    pair.scenario.assert_no_pods_left(&run);
}

#[test]
fn a_run_that_is_left_to_no_driver_says_so_and_goes_on_when_it_is_told() {
    let test = "a_run_that_is_left_to_no_driver_says_so_and_goes_on_when_it_is_told";
    let Some(scenario) = Scenario::new(test) else { return };
    let created =
        scenario.run(&Pipeline::new("left", [Task::new("work", "true")])).arg("--detach").run().expect_code(0);
    let run = created.stdout.trim().to_owned();
    let remedy = format!("penstock run --resume {run}");
    created.expect_complaint("no driver holds the data directory").expect_complaint(&remedy);
    let run = scenario.penstock(&["run", "--resume", &run, "-o", "json"]).run().expect_code(0).document();
    assert_eq!(run.state, "SUCCEEDED");
    scenario.assert_no_pods_left(&run);
}

#[test]
fn f36_a_driver_that_was_frozen_writes_nothing() {
    let test = "f36_a_driver_that_was_frozen_writes_nothing";
    let steps = ["step-1", "step-2", "step-3"];
    let Some(pair) = Pair::start(test, &steps) else { return };
    pair.wait_for_pod("step-2");
    assert!(pair.first.leads() && !pair.second.leads(), "both work, or none");
    pair.first.process.signal(Signal::STOP);
    // On one machine a lock keeps the second away from the run. Drivers on two machines have none: only the epoch.
    let lock = pair.scenario.sandbox.data_dir().join("runs").join(&pair.run).join("lock");
    std::fs::remove_file(&lock).expect("the lock of the run");
    let took = pair.second.wait_until_it_leads();
    python::note(test, &format!("taken over {took:?} after the first was frozen"));
    let run = pair.wait_for_end();
    pair.assert_each_ran_once(&run, &steps);
    let before = pair.text();
    pair.first.process.signal(Signal::CONT);
    wait_until("the first to see that it leads no more", START_LIMIT, || {
        admin::get(pair.first.admin, "/metrics").is_some() && !pair.first.leads()
    });
    std::thread::sleep(AFTERMATH);
    assert_eq!(pair.text(), before, "the frozen driver wrote to the run");
    assert!(pair.second.leads() && !pair.first.leads(), "the Lease went back");
    pair.assert_each_ran_once(&run, &steps);
    pair.scenario.assert_no_pods_left(&run);
}

#[test]
fn f40_a_namespace_goes_although_the_process_that_drove_its_pods_is_gone() {
    let test = "f40_a_namespace_goes_although_the_process_that_drove_its_pods_is_gone";
    let Some(scenario) = Scenario::new(test) else { return };
    let elsewhere = Namespace::unlabelled(scenario.cluster, "lease");
    let mut running = scenario.run(&Pipeline::new("orphan", [Task::new("sleeps", "sleep 600")])).spawn();
    let pod = scenario.wait_for_pod(&mut running, "runs", main_runs);
    running.kill_now();
    let held = scenario.namespace.get(["pod", pod.as_str()]).expect("the Pod runs on");
    assert!(held["metadata"]["finalizers"].to_string().contains(keys::FINALIZER), "nothing holds the Pod: {held:#}");
    // A driver with a store of its own, which knows nothing of the run.
    let sandbox = Sandbox::new();
    let host = Host::over(&scenario, &sandbox, elsewhere.name());
    host.wait_until_it_leads();
    let deleted = Instant::now();
    scenario.cluster.call(["delete", "namespace", scenario.namespace.name(), "--wait=false"]);
    wait_until("the namespace to be gone", DELETION_LIMIT, || {
        scenario.cluster.get(["namespace", scenario.namespace.name()]).is_none()
    });
    python::note(test, &format!("gone {:?} after its deletion", deleted.elapsed()));
}
