//! A Pod for people: its status, and the events about it.

use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use penstock_spec::Timestamp;
use penstock_spec::pod_state::{ContainerState, PodCondition, PodEvent, PodState};
use penstock_spec::report::AttemptRef;
use thiserror::Error;

use super::api::PodApi;
use super::failure::RequestError;
use super::identity::attempt_of_pod;
use super::view::shorten;

/// The state of a Pod cannot be read.
#[derive(Debug, Error)]
#[error("cannot read Pod {pod}: {reason}")]
pub struct PodStateError {
    /// The Pod, with its namespace.
    pub pod: String,
    /// Why.
    pub reason: String,
}

/// Reads how the Pod of an attempt is; nothing when there is none, or the name is that of another's.
pub(crate) async fn read(
    api: &PodApi,
    namespace: &str,
    name: &str,
    attempt: &AttemptRef,
) -> Result<Option<PodState>, PodStateError> {
    let failed = |error: RequestError| PodStateError { pod: format!("{namespace}/{name}"), reason: error.reason() };
    let pod = api.get(name).await.map_err(failed)?;
    let Some(pod) = pod.filter(|pod| attempt_of_pod(pod).as_ref() == Some(attempt)) else { return Ok(None) };
    let events = match pod.metadata.uid.as_deref() {
        Some(uid) => api.events(uid).await,
        None => Ok(Vec::new()),
    };
    Ok(Some(state_of(pod, events)))
}

/// Nothing of its specification but where it runs: there the values of variables are.
fn state_of(pod: Pod, events: Result<Vec<Event>, RequestError>) -> PodState {
    let status = pod.status.unwrap_or_default();
    let first = status.init_container_statuses.unwrap_or_default();
    let then = status.container_statuses.unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default().into_iter().map(|condition| PodCondition {
        kind: condition.type_,
        status: condition.status,
        reason: text(condition.reason),
        message: text(condition.message),
        at: time(condition.last_transition_time),
    });
    let (events, events_error) = match events {
        Ok(events) => (events, None),
        Err(error) => (Vec::new(), Some(error.reason())),
    };
    let mut events: Vec<PodEvent> = events.into_iter().map(event).collect();
    events.sort_by_key(|event| event.at);
    PodState {
        name: pod.metadata.name.unwrap_or_default(),
        namespace: pod.metadata.namespace.unwrap_or_default(),
        node: text(pod.spec.and_then(|spec| spec.node_name)),
        phase: text(status.phase).unwrap_or_else(|| "Unknown".to_owned()),
        reason: text(status.reason),
        message: text(status.message),
        containers: first.into_iter().chain(then).map(container).collect(),
        conditions: conditions.collect(),
        events,
        events_error,
    }
}

fn container(status: ContainerStatus) -> ContainerState {
    let state = status.state.unwrap_or_default();
    let shown = ContainerState {
        name: status.name,
        image: status.image,
        state: "waiting",
        reason: None,
        message: None,
        exit_code: None,
        restarts: status.restart_count,
        started_at: None,
        finished_at: None,
    };
    match (state.terminated, state.running, state.waiting) {
        (Some(ended), ..) => ContainerState {
            state: "terminated",
            reason: text(ended.reason),
            message: text(ended.message),
            exit_code: Some(ended.exit_code),
            started_at: time(ended.started_at),
            finished_at: time(ended.finished_at),
            ..shown
        },
        (None, Some(runs), _) => ContainerState { state: "running", started_at: time(runs.started_at), ..shown },
        (None, None, Some(waits)) => {
            ContainerState { reason: text(waits.reason), message: text(waits.message), ..shown }
        }
        (None, None, None) => shown,
    }
}

/// Of events that are counted in a series, the series says when and how often.
fn event(event: Event) -> PodEvent {
    let series = event.series.unwrap_or_default();
    let at = micro_time(series.last_observed_time)
        .or_else(|| time(event.last_timestamp))
        .or_else(|| micro_time(event.event_time))
        .or_else(|| time(event.first_timestamp))
        .or_else(|| time(event.metadata.creation_timestamp));
    PodEvent {
        at,
        kind: text(event.type_).unwrap_or_default(),
        reason: text(event.reason).unwrap_or_default(),
        message: text(event.message).unwrap_or_default(),
        count: series.count.or(event.count).unwrap_or(1),
    }
}

fn time(at: Option<Time>) -> Option<Timestamp> {
    Timestamp::from_microsecond(at?.0.as_microsecond()).ok()
}

fn micro_time(at: Option<MicroTime>) -> Option<Timestamp> {
    Timestamp::from_microsecond(at?.0.as_microsecond()).ok()
}

/// A foreign text, cut to a length; nothing when it is empty.
fn text(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(|text| shorten(&text))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(document: Value) -> Pod {
        serde_json::from_value(document).expect("a Pod")
    }

    fn event(document: &Value) -> Event {
        let mut event = json!({"involvedObject": {}, "metadata": {}});
        event.as_object_mut().expect("an object").extend(document.as_object().expect("an object").clone());
        serde_json::from_value(event).expect("an event")
    }

    #[test]
    fn a_pod_is_told_of_without_its_environment() {
        let pod = pod(json!({
            "metadata": {"name": "p", "namespace": "team"},
            "spec": {"nodeName": "n1", "containers": [{"name": "main", "env": [{"name": "TOKEN", "value": "secret"}]}]},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": "2026-08-01T10:00:00Z"}],
                "initContainerStatuses": [{
                    "name": "launcher", "image": "l:1", "imageID": "", "ready": true, "restartCount": 1,
                    "state": {"running": {"startedAt": "2026-08-01T10:00:01Z"}},
                }],
                "containerStatuses": [
                    {"name": "main", "image": "python:3.12", "imageID": "", "ready": false, "restartCount": 0,
                     "state": {"terminated": {"exitCode": 3, "reason": "Error", "finishedAt": "2026-08-01T10:00:09Z"}}},
                    {"name": "late", "image": "x", "imageID": "", "ready": false, "restartCount": 0,
                     "state": {"waiting": {"reason": "ErrImagePull", "message": "x".repeat(5000)}}},
                ],
            },
        }));
        let mut shown = json!(state_of(pod, Ok(Vec::new())));
        assert!(!shown.to_string().contains("secret"), "{shown}");
        let message = shown["containers"][2].as_object_mut().and_then(|late| late.remove("message"));
        assert!(message.is_some_and(|text| text.as_str().is_some_and(|text| (1000..2000).contains(&text.len()))));
        let expected = json!({
            "name": "p", "namespace": "team", "node": "n1", "phase": "Running",
            "conditions": [{"type": "Ready", "status": "False", "at": "2026-08-01T10:00:00Z"}],
            "containers": [
                {"name": "launcher", "image": "l:1", "state": "running", "restarts": 1,
                 "started_at": "2026-08-01T10:00:01Z"},
                {"name": "main", "image": "python:3.12", "state": "terminated", "restarts": 0, "exit_code": 3,
                 "reason": "Error", "finished_at": "2026-08-01T10:00:09Z"},
                {"name": "late", "image": "x", "state": "waiting", "restarts": 0, "reason": "ErrImagePull"},
            ],
            "events": [],
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn events_come_in_the_order_of_their_last_times_whoever_wrote_them() {
        let events = vec![
            event(
                &json!({"reason": "BackOff", "message": "m", "type": "Warning", "eventTime": "2026-08-01T10:00:01.5Z",
                         "series": {"count": 7, "lastObservedTime": "2026-08-01T10:00:09.250Z"}, "count": 1}),
            ),
            event(&json!({"reason": "Pulled", "message": "m", "type": "Normal", "count": 2,
                         "firstTimestamp": "2026-08-01T10:00:00Z", "lastTimestamp": "2026-08-01T10:00:02Z"})),
            event(&json!({"reason": "Scheduled", "type": "Normal", "eventTime": "2026-08-01T10:00:01.5Z"})),
        ];
        let expected = json!([
            {"at": "2026-08-01T10:00:01.5Z", "type": "Normal", "reason": "Scheduled", "message": "", "count": 1},
            {"at": "2026-08-01T10:00:02Z", "type": "Normal", "reason": "Pulled", "message": "m", "count": 2},
            {"at": "2026-08-01T10:00:09.25Z", "type": "Warning", "reason": "BackOff", "message": "m", "count": 7},
        ]);
        assert_eq!(json!(state_of(Pod::default(), Ok(events)).events), expected);
    }

    #[test]
    fn a_pod_that_says_nothing_is_told_of_all_the_same() {
        let shown = state_of(Pod::default(), Ok(vec![Event::default()]));
        assert_eq!((shown.phase.as_str(), shown.containers.len(), shown.events[0].count), ("Unknown", 0, 1));
        let shown = state_of(Pod::default(), Err(RequestError::Final("events is forbidden".to_owned())));
        assert_eq!((shown.events.len(), shown.events_error.as_deref()), (0, Some("events is forbidden")));
    }
}
