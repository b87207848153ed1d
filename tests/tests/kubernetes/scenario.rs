//! What the scenarios share: a namespace with a sandbox, a run in the background, and looking at its Pods.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use penstock_spec::keys;
use penstock_spec::plan::Plan;
use penstock_tests::cluster::{self, Cluster, Namespace};
use penstock_tests::deadline::wait_for;
use penstock_tests::document::RunDocument;
use penstock_tests::invocation::{Background, Invocation};
use penstock_tests::pipeline::Pipeline;
use penstock_tests::sandbox::Sandbox;
use serde_json::Value;

/// Longest time until a Pod is where a test wants it.
const POD_LIMIT: Duration = Duration::from_secs(120);
/// Tests that disturb the whole cluster run alone.
static CLUSTER: RwLock<()> = RwLock::new(());

/// A namespace of a test, and a data directory.
pub(crate) struct Scenario {
    pub(crate) cluster: &'static Cluster,
    pub(crate) namespace: Namespace,
    pub(crate) sandbox: Sandbox,
    _shared: Option<RwLockReadGuard<'static, ()>>,
    _alone: Option<RwLockWriteGuard<'static, ()>>,
}

impl Scenario {
    /// Beside others; `None` after saying that the test is skipped.
    pub(crate) fn new(test: &str) -> Option<Scenario> {
        Scenario::with_labels(test, &[])
    }

    /// In the namespace in which the installed API runs what is submitted to it.
    pub(crate) fn of_runs(test: &str) -> Option<Scenario> {
        let cluster = cluster::find_or_skip(test)?;
        let shared = CLUSTER.read().unwrap_or_else(PoisonError::into_inner);
        let namespace = Namespace::of_runs(cluster);
        Some(Scenario { cluster, namespace, sandbox: Sandbox::new(), _shared: Some(shared), _alone: None })
    }

    /// The same with nobody else at work.
    pub(crate) fn of_runs_alone(test: &str) -> Option<Scenario> {
        let cluster = cluster::find_or_skip(test)?;
        let alone = CLUSTER.write().unwrap_or_else(PoisonError::into_inner);
        let namespace = Namespace::of_runs(cluster);
        Some(Scenario { cluster, namespace, sandbox: Sandbox::new(), _shared: None, _alone: Some(alone) })
    }

    /// In a namespace with further labels.
    pub(crate) fn with_labels(test: &str, labels: &[(&str, &str)]) -> Option<Scenario> {
        let cluster = cluster::find_or_skip(test)?;
        let shared = CLUSTER.read().unwrap_or_else(PoisonError::into_inner);
        let namespace = Namespace::with_labels(cluster, "scenario", labels);
        Some(Scenario { cluster, namespace, sandbox: Sandbox::new(), _shared: Some(shared), _alone: None })
    }

    /// With nobody else at work.
    pub(crate) fn alone(test: &str) -> Option<Scenario> {
        let cluster = cluster::find_or_skip(test)?;
        let alone = CLUSTER.write().unwrap_or_else(PoisonError::into_inner);
        let namespace = Namespace::new(cluster, "alone");
        Some(Scenario { cluster, namespace, sandbox: Sandbox::new(), _shared: None, _alone: Some(alone) })
    }

    /// `penstock run` of a pipeline.
    pub(crate) fn run(&self, pipeline: &Pipeline) -> Invocation {
        let file = self.sandbox.write_pipeline("pipeline.json", &pipeline.build());
        self.namespace.run(&self.sandbox).arg(file)
    }

    /// `penstock` with other arguments.
    pub(crate) fn penstock(&self, args: &[&str]) -> Invocation {
        self.namespace.penstock(&self.sandbox).args(args)
    }

    /// Waits for a Pod of a run in the background that a test is looking for.
    pub(crate) fn wait_for_pod(&self, running: &mut Background, what: &str, is: impl Fn(&Value) -> bool) -> String {
        wait_for(&format!("a Pod that {what}"), POD_LIMIT, || {
            assert!(running.is_running(), "the run ended before a Pod was seen that {what}");
            let pods = self.namespace.pods();
            let found = pods.iter().find(|pod| is(pod))?;
            Some(found["metadata"]["name"].as_str()?.to_owned())
        })
    }

    /// The plan that a Pod carries.
    pub(crate) fn plan_of(&self, name: &str) -> Plan {
        let pod = self.namespace.get(["pod", name]).expect("the Pod is there");
        let plan = pod["metadata"]["annotations"][keys::ANNOTATION_PLAN].as_str().expect("a plan on the Pod");
        serde_json::from_str(plan).expect("a plan")
    }

    /// Deletes a Pod as somebody else would, without waiting.
    pub(crate) fn delete_pod(&self, name: &str) {
        self.cluster.call(["-n", self.namespace.name(), "delete", "pod", name, "--wait=false"]);
    }

    /// The Pods that are there a moment after a run has ended: those of attempts that failed.
    pub(crate) fn assert_no_pods_left(&self, run: &RunDocument) {
        let left = || {
            let pods = self.namespace.pods();
            pods.iter().filter(|pod| !is_over(pod)).count()
        };
        penstock_tests::deadline::wait_until("the run's Pods to be gone", POD_LIMIT, || left() == 0);
        assert!(!run.run_id.is_empty());
    }
}

/// Whether the user's container runs.
pub(crate) fn main_runs(pod: &Value) -> bool {
    container(pod, "main").is_some_and(|status| status["state"]["running"].is_object())
}

/// Whether all containers of a Pod have ended.
fn is_over(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// The status of a container.
pub(crate) fn container<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    let all = ["containerStatuses", "initContainerStatuses"].into_iter();
    let mut all = all.filter_map(|list| pod["status"][list].as_array()).flatten();
    all.find(|status| status["name"] == name)
}
