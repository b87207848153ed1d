//! Pods of attempts, as far as the cluster tells of them.

use std::io;
use std::sync::{Arc, Mutex};

use penstock_apiserver::{ApiSettings, FoundPod, LivePods, WantedPod};
use penstock_objectstore::StoreSettings;
use penstock_spec::Timestamp;
use penstock_spec::pod_state::{ContainerState, PodCondition, PodEvent, PodState};
use penstock_spec::run::TaskStatus;
use serde_json::json;

use crate::recorded::{Recorded, row};

/// Finds what it is told to, once.
#[derive(Debug, Default)]
struct Cluster {
    next: Mutex<Option<io::Result<FoundPod>>>,
}

#[async_trait::async_trait]
impl LivePods for Cluster {
    async fn look(&self, wanted: &WantedPod) -> io::Result<FoundPod> {
        assert_eq!((wanted.run.info.name.as_str(), wanted.task_key.as_str()), ("hello-abcde", "train"));
        assert_eq!(wanted.attempt.attempt, 0);
        self.next.lock().expect("no panic").take().expect("it was not to be asked")
    }
}

fn of_attempt(recorded: &Recorded, attempt: &str) -> String {
    format!("/apis/penstock/v1/runs/{}/tasks/{}/attempts/{attempt}/pod", recorded.run, recorded.task)
}

fn waiting() -> PodState {
    let at: Timestamp = "2026-08-01T10:00:00Z".parse().expect("a time");
    PodState {
        name: "hello-abcde-train-0".to_owned(),
        namespace: "team".to_owned(),
        node: None,
        phase: "Pending".to_owned(),
        reason: None,
        message: None,
        containers: vec![ContainerState {
            name: "main".to_owned(),
            image: "penstock.test/missing:1".to_owned(),
            state: "waiting",
            reason: Some("ErrImagePull".to_owned()),
            message: Some("not found".to_owned()),
            exit_code: None,
            restarts: 0,
            started_at: None,
            finished_at: None,
        }],
        conditions: vec![PodCondition {
            kind: "Ready".to_owned(),
            status: "False".to_owned(),
            reason: Some("ContainersNotReady".to_owned()),
            message: None,
            at: Some(at),
        }],
        events: vec![PodEvent {
            at: Some(at),
            kind: "Warning".to_owned(),
            reason: "Failed".to_owned(),
            message: "Failed to pull image".to_owned(),
            count: 3,
        }],
        events_error: None,
    }
}

#[tokio::test]
async fn a_pod_is_shown_as_the_cluster_tells_of_it() {
    let cluster = Arc::new(Cluster::default());
    let pods = Arc::clone(&cluster);
    let change = |settings| ApiSettings { live_pods: Some(pods), ..settings };
    let recorded = Recorded::start_as(StoreSettings::default(), change).await;
    let finds = |found| *cluster.next.lock().expect("no panic") = Some(found);
    finds(Ok(FoundPod::Here(Box::new(waiting()))));
    let expected = json!({
        "name": "hello-abcde-train-0", "namespace": "team", "phase": "Pending",
        "containers": [{"name": "main", "image": "penstock.test/missing:1", "state": "waiting",
                        "reason": "ErrImagePull", "message": "not found", "restarts": 0}],
        "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "at": "2026-08-01T10:00:00Z"}],
        "events": [{"at": "2026-08-01T10:00:00Z", "type": "Warning", "reason": "Failed",
                    "message": "Failed to pull image", "count": 3}],
    });
    assert_eq!(recorded.get(&of_attempt(&recorded, "0")).await.ok(), expected);
    finds(Ok(FoundPod::Absent("it does not exist yet, or no longer")));
    let absent = recorded.get(&of_attempt(&recorded, "0")).await.refused(404);
    assert!(absent.ends_with("has no Pod to look at: it does not exist yet, or no longer"), "{absent}");
    finds(Err(io::Error::other("the API server does not answer")));
    let away = recorded.get(&of_attempt(&recorded, "0")).await;
    assert_eq!(away.refused(503), "Service unavailable");
    assert!(away.text.contains("the API server does not answer"), "{}", away.text);
}

#[tokio::test]
async fn why_there_is_no_pod_is_said() {
    let recorded = Recorded::start().await;
    let refused = async |attempt: &str| recorded.get(&of_attempt(&recorded, attempt)).await.refused(404);
    assert!(refused("0").await.ends_with("this server knows no cluster"));
    assert!(refused("1").await.ends_with("attempts count from 0, and 0 is the newest"));
    assert!(refused("x").await.contains("Attempt x not found"));
    let waits = row(crate::recorded::TASK, TaskStatus::Pending, None);
    let fact = penstock_engine::Fact::RetryRequested { from: Vec::new() };
    recorded.append(fact, |append| append.tasks.push(waits)).await;
    assert!(refused("0").await.ends_with("the task has started nothing"));
    let unknown = format!("/apis/penstock/v1/runs/{}/tasks/nothing/attempts/0/pod", recorded.run);
    assert!(recorded.get(&unknown).await.refused(404).contains("Task nothing not found"));
}
