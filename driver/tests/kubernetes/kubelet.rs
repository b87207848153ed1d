//! What a node and a launcher make of Pods, by a script. It is described as such: no container runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use penstock_launcher::report::{attempt_of, encode, manifest};
use penstock_objectstore::Transfer;
use penstock_spec::Timestamp;
use penstock_spec::keys;
use penstock_spec::plan::Plan;
use penstock_spec::pod::{POD_REPORT_VERSION, Phases, PlanRef, PodOutcome, PodReport};
use penstock_spec::report::{Failure, FailureCause, TaskOutputs};
use penstock_spec::timings::Timings;
use serde_json::{Value, json};

use crate::api::FakeApi;

/// Time from the report of a failure to the phase.
const PHASE_LAG: Duration = Duration::from_millis(500);

/// What becomes of a Pod.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// It stores its outputs and reports success.
    Succeed,
    /// It reports a failure.
    Fail(FailureCause, &'static str),
    /// It reports success, and there is no manifest.
    Claim,
    /// It reports success, and the manifest that is there has another digest.
    Lie,
    /// It reports success, and a moment later its container ends as if it had failed.
    Contradict,
    /// It runs until it is stopped.
    Hang,
    /// Its status is this, and nothing is reported.
    Show(Value),
    /// It is deleted, finalizer and all.
    Vanish,
    /// The same, and its log so far is in the store.
    VanishWithLog,
    /// It stores its outputs, cannot report, and ends.
    StoreAndDie,
}

/// Says what becomes of an attempt of a task, by the task's key.
pub(crate) type Script = Arc<dyn Fn(&str, u32) -> Act + Send + Sync>;

pub(crate) struct Kubelet {
    api: Arc<FakeApi>,
    transfer: Arc<Transfer>,
    script: Script,
    /// Pods taken up, by UID, with whether their end was seen to.
    taken: Mutex<HashMap<String, bool>>,
}

impl Kubelet {
    pub(crate) fn start(api: Arc<FakeApi>, transfer: Arc<Transfer>, script: Script) -> Arc<Kubelet> {
        let kubelet = Arc::new(Kubelet { api, transfer, script, taken: Mutex::default() });
        let started = Arc::clone(&kubelet);
        tokio::spawn(async move {
            let mut changes = kubelet.api.changes();
            loop {
                changes.mark_unchanged();
                for pod in kubelet.api.pods() {
                    Arc::clone(&kubelet).look(&pod);
                }
                let _ = tokio::time::timeout(Duration::from_millis(200), changes.changed()).await;
            }
        });
        started
    }

    /// Stores the outputs of a Pod that hangs, and reports its success.
    pub(crate) async fn succeed(&self, pod: &Value) {
        let plan = self.plan(pod).await.expect("a plan");
        let digest = self.store(&plan).await;
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        self.report(name, pod, &plan, PodOutcome::Succeeded { manifest_digest: digest });
        self.api.end(name, |pod| pod["status"] = ended(0, "Completed"));
    }

    fn look(self: Arc<Self>, pod: &Value) {
        let uid = pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let is_deleted = !pod["metadata"]["deletionTimestamp"].is_null();
        let mut taken = self.taken.lock().expect("no test panics here");
        match taken.get(&uid) {
            None if pod["spec"]["initContainers"].is_array() && !is_deleted => {
                taken.insert(uid, false);
                drop(taken);
                let pod = pod.clone();
                tokio::spawn(async move { self.run(&name, &pod).await });
            }
            Some(false) if is_deleted && pod["status"]["phase"] == "Running" => {
                taken.insert(uid, true);
                drop(taken);
                self.api.end(&name, |pod| pod["status"] = ended(143, "Error"));
            }
            _ => {}
        }
    }

    async fn run(&self, name: &str, pod: &Value) {
        let Some(plan) = self.plan(pod).await else { return };
        self.api.change(name, |pod| {
            pod["spec"]["nodeName"] = json!("node");
            pod["status"] = running();
        });
        tokio::time::sleep(Duration::from_millis(2)).await;
        match (self.script)(&plan.task.key, plan.task.attempt) {
            Act::Succeed => {
                let digest = self.store(&plan).await;
                self.report(name, pod, &plan, PodOutcome::Succeeded { manifest_digest: digest });
                tokio::time::sleep(Duration::from_millis(5)).await;
                self.api.end(name, |pod| pod["status"] = ended(0, "Completed"));
            }
            Act::Fail(cause, message) => {
                let failure = Failure { cause, message: message.to_owned() };
                self.report(name, pod, &plan, PodOutcome::Failed(failure));
                // The phase follows after seconds; here long after whoever waits for the report has seen it.
                tokio::time::sleep(PHASE_LAG).await;
                self.api.end(name, |pod| pod["status"] = ended(1, "Error"));
            }
            Act::Claim => {
                self.report(name, pod, &plan, PodOutcome::Succeeded { manifest_digest: "sha256:00".to_owned() });
                self.api.end(name, |pod| pod["status"] = ended(0, "Completed"));
            }
            Act::Lie => {
                self.store(&plan).await;
                self.report(name, pod, &plan, PodOutcome::Succeeded { manifest_digest: "sha256:00".to_owned() });
                self.api.end(name, |pod| pod["status"] = ended(0, "Completed"));
            }
            Act::Contradict => {
                let uid = pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
                // Its deletion does not end it.
                self.taken.lock().expect("no test panics here").insert(uid, true);
                let digest = self.store(&plan).await;
                self.report(name, pod, &plan, PodOutcome::Succeeded { manifest_digest: digest });
                tokio::time::sleep(Duration::from_millis(100)).await;
                self.api.end(name, |pod| pod["status"] = ended(1, "Error"));
            }
            Act::Hang => {}
            Act::Show(status) => self.api.change(name, |pod| {
                if status["phase"] == "Pending" && status["containerStatuses"].is_null() {
                    pod["spec"]["nodeName"] = Value::Null;
                }
                pod["status"] = status;
            }),
            Act::Vanish => self.api.delete_by_force(name),
            Act::VanishWithLog => {
                let log = "the log so far".as_bytes().to_vec();
                self.transfer.put_bytes(&plan.log_uri(), log).await.expect("the log is stored");
                self.api.delete_by_force(name);
            }
            Act::StoreAndDie => {
                self.store(&plan).await;
                self.api.end(name, |pod| pod["status"] = ended(125, "Error"));
            }
        }
    }

    async fn plan(&self, pod: &Value) -> Option<Plan> {
        let annotations = &pod["metadata"]["annotations"];
        if let Some(text) = annotations[keys::ANNOTATION_PLAN].as_str() {
            return serde_json::from_str(text).ok();
        }
        let reference: PlanRef = serde_json::from_str(annotations[keys::ANNOTATION_PLAN_REF].as_str()?).ok()?;
        let bytes = self.transfer.get_bytes(&reference.uri, 64 << 20).await.expect("the store works")?;
        assert_eq!(bytes.len() as u64, reference.size);
        serde_json::from_slice(&bytes).ok()
    }

    async fn store(&self, plan: &Plan) -> String {
        store_outputs(&self.transfer, plan).await
    }

    fn report(&self, name: &str, pod: &Value, plan: &Plan, outcome: PodOutcome) {
        let text = report_of(plan, pod["metadata"]["uid"].as_str().unwrap_or_default(), outcome);
        self.api.change(name, |pod| pod["metadata"]["annotations"][keys::ANNOTATION_REPORT] = json!(text));
    }
}

/// Stores the outputs of an attempt; the digest of its manifest.
pub(crate) async fn store_outputs(transfer: &Transfer, plan: &Plan) -> String {
    let parameters = json!({"out": format!("{} of attempt {}", plan.task.key, plan.task.attempt)});
    let parameters = parameters.as_object().cloned().unwrap_or_default();
    let (bytes, digest) = encode(&manifest(plan, 0, TaskOutputs { parameters, ..TaskOutputs::default() }, false));
    transfer.put_bytes(&plan.log_uri(), "the log".as_bytes().to_vec()).await.expect("the log is stored");
    transfer.put_bytes(&plan.manifest_uri(), bytes).await.expect("the manifest is stored");
    digest
}

/// The annotation with which a launcher reports.
pub(crate) fn report_of(plan: &Plan, uid: &str, outcome: PodOutcome) -> String {
    let report = PodReport {
        version: POD_REPORT_VERSION,
        pod_uid: uid.to_owned(),
        attempt: attempt_of(plan),
        exit_code: Some(i32::from(matches!(outcome, PodOutcome::Failed(_)))),
        outcome,
        log_uri: Some(plan.log_uri()),
        phases: Phases::default(),
        timings: times(),
    };
    serde_json::to_string(&report).expect("a report")
}

/// What a launcher says of its attempts' steps, the same for all.
fn times() -> Option<Box<Timings>> {
    let text = json!({
        "launcherAt": "2026-01-01T00:00:02.5Z", "inputsAt": "2026-01-01T00:00:02.6Z", "startedAt": "2026-01-01T00:00:04.25Z",
        "endedAt": "2026-01-01T00:00:05.5Z", "storedAt": "2026-01-01T00:00:06Z",
    });
    serde_json::from_value(text).expect("times")
}

fn container(name: &str, state: &Value) -> Value {
    json!({"name": name, "image": "i", "imageID": "", "ready": true, "restartCount": 0, "state": state})
}

pub(crate) fn running() -> Value {
    waiting("Running", &json!({"running": {"startedAt": "2026-01-01T00:00:03Z"}}))
}

/// A status with the launcher at work, and the user's container in some state.
pub(crate) fn waiting(phase: &str, main: &Value) -> Value {
    json!({
        "phase": phase,
        "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T00:00:01Z"}],
        "containerStatuses": [container("main", main)],
        "initContainerStatuses": [
            container(keys::SIDECAR_CONTAINER, &json!({"running": {"startedAt": "2026-01-01T00:00:02Z"}})),
        ],
    })
}

pub(crate) fn ended(code: i32, reason: &str) -> Value {
    let end = json!({"terminated": {"exitCode": code, "reason": reason, "finishedAt": Timestamp::now()}});
    json!({
        "phase": if code == 0 { "Succeeded" } else { "Failed" },
        "containerStatuses": [container("main", &end)],
        "initContainerStatuses": [container(keys::SIDECAR_CONTAINER, &json!({"terminated": {"exitCode": 0}}))],
    })
}
