use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

const UID: &str = "uid-1";

fn expected() -> Expected {
    let (run_id, task_id) = (Uuid::from_u128(1), Uuid::from_u128(2));
    Expected { attempt: AttemptRef { run_id, task_id, attempt: 3 }, uid: Some(UID.to_owned()) }
}

/// A Pod with metadata and status of one's own.
fn pod(metadata: &Value, status: &Value) -> Pod {
    let mut all =
        json!({"metadata": {"name": "p", "uid": UID}, "spec": {"nodeName": "n", "containers": []}, "status": status});
    for (name, value) in metadata.as_object().expect("an object") {
        all["metadata"][name] = value.clone();
    }
    serde_json::from_value(all).expect("a Pod")
}

fn reporting(outcome: &Value) -> Value {
    let report = json!({"version": 1, "podUid": UID, "attempt": expected().attempt, "outcome": outcome});
    json!({"annotations": {keys::ANNOTATION_REPORT: report.to_string()}})
}

fn succeeded() -> Value {
    reporting(&json!({"succeeded": {"manifestDigest": "sha256:x"}}))
}

fn failed(cause: &str) -> Value {
    reporting(&json!({"failed": {"cause": cause, "message": "said the launcher"}}))
}

fn launcher(state: &Value) -> Value {
    json!([{"name": keys::SIDECAR_CONTAINER, "image": "", "imageID": "", "ready": true, "restartCount": 0, "state": state}])
}

fn main(state: &Value) -> Value {
    json!([{"name": "main", "image": "python:3.11", "imageID": "", "ready": true, "restartCount": 0, "state": state}])
}

fn statuses(phase: &str, main_state: &Value, launcher_state: &Value) -> Value {
    json!({"phase": phase, "containerStatuses": main(main_state), "initContainerStatuses": launcher(launcher_state)})
}

fn terminated(code: i32, reason: &str) -> Value {
    json!({"terminated": {"exitCode": code, "reason": reason}})
}

fn with(mut status: Value, name: &str, value: Value) -> Value {
    status[name] = value;
    status
}

fn running() -> Value {
    statuses("Running", &json!({"running": {}}), &json!({"running": {}}))
}

/// A Pod whose author's init container ended, while another beside the task was stopped by a signal.
fn initialised(code: i32, reason: &str) -> Pod {
    let status = |name: &str, state: Value| json!({"name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state});
    let mut all = json!(pod(
        &json!({}),
        &statuses("Pending", &json!({"waiting": {"reason": "PodInitializing"}}), &json!({"running": {}}))
    ));
    all["spec"]["initContainers"] = json!([
        {"name": keys::SIDECAR_CONTAINER, "restartPolicy": "Always"}, {"name": "beside", "restartPolicy": "Always"},
        {"name": "prepare"},
    ]);
    let statuses = all["status"]["initContainerStatuses"].as_array_mut().expect("statuses");
    statuses.push(status("beside", terminated(143, "Error")));
    statuses.push(status("prepare", terminated(code, reason)));
    serde_json::from_value(all).expect("a Pod")
}

fn over(code: i32, reason: &str) -> Value {
    let phase = if code == 0 { "Succeeded" } else { "Failed" };
    statuses(phase, &terminated(code, reason), &terminated(0, "Completed"))
}

fn disruption() -> Value {
    json!([{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "drained"}])
}

fn deleted() -> Value {
    json!({"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 60})
}

fn judge(pod: Option<&Pod>, in_stage: u64, stopping: Option<u64>) -> Verdict {
    let elapsed = Elapsed { in_stage: Duration::from_secs(in_stage), stopping: stopping.map(Duration::from_secs) };
    classify(pod, &expected(), elapsed, &Timeouts::default())
}

fn lost_cause(verdict: &Verdict) -> Option<FailureCause> {
    match verdict {
        Verdict::Lost(failure) => Some(failure.cause),
        _ => None,
    }
}

/// The way of dying, how long it has been seen, and what it comes to.
#[rstest]
// 1. Another Pod of the name.
#[case(pod(&json!({"uid": "uid-2"}), &running()), 0, Some(FailureCause::Infrastructure))]
// 5. The cluster's doing, whatever exit code is shown; at once when nothing runs any more.
#[case(pod(&json!({}), &with(over(0, "Completed"), "conditions", disruption())), 10, Some(FailureCause::Infrastructure))]
#[case(pod(&json!({}), &with(over(137, "Error"), "conditions", disruption())), 10, Some(FailureCause::Infrastructure))]
#[case(pod(&json!({}), &json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."})), 10, Some(FailureCause::Infrastructure))]
#[case(pod(&json!({}), &json!({"phase": "Failed", "reason": "Evicted", "message": "Container main exceeded its local ephemeral storage limit \"1Gi\"."})), 10, Some(FailureCause::User))]
#[case(pod(&json!({}), &json!({"phase": "Failed", "reason": "UnexpectedAdmissionError"})), 10, Some(FailureCause::Infrastructure))]
#[case(pod(&json!({}), &json!({"phase": "Failed", "reason": "OutOfcpu", "message": "Pod was rejected"})), 10, Some(FailureCause::Infrastructure))]
#[case(pod(&json!({}), &json!({"phase": "Failed", "reason": "NodeLost"})), 10, Some(FailureCause::Infrastructure))]
#[case(pod(&json!({}), &json!({"phase": "Failed", "conditions": disruption()})), 10, Some(FailureCause::Interrupted))]
#[case(pod(&json!({}), &with(running(), "conditions", disruption())), 0, None)]
#[case(pod(&json!({}), &with(running(), "conditions", disruption())), 40, Some(FailureCause::Infrastructure))]
// 6. The deadline.
#[case(pod(&json!({}), &json!({"phase": "Failed", "reason": "DeadlineExceeded"})), 10, Some(FailureCause::Timeout))]
#[case(pod(&json!({}), &with(over(137, "Error"), "reason", json!("DeadlineExceeded"))), 10, Some(FailureCause::Timeout))]
// 7. Somebody deleted it: the signals' exit codes are not the user's.
#[case(pod(&deleted(), &running()), 0, None)]
#[case(pod(&deleted(), &running()), 89, None)]
#[case(pod(&deleted(), &running()), 90, Some(FailureCause::Infrastructure))]
#[case(pod(&deleted(), &over(143, "Error")), 10, Some(FailureCause::Infrastructure))]
#[case(pod(&deleted(), &over(137, "OOMKilled")), 10, Some(FailureCause::User))]
// 8. The user's container ended.
#[case(pod(&json!({}), &over(137, "OOMKilled")), 10, Some(FailureCause::User))]
#[case(pod(&json!({}), &over(1, "Error")), 9, None)]
#[case(pod(&json!({}), &over(1, "Error")), 10, Some(FailureCause::User))]
#[case(pod(&json!({}), &over(126, "Error")), 10, Some(FailureCause::User))]
#[case(pod(&json!({}), &over(127, "Error")), 10, Some(FailureCause::User))]
#[case(pod(&json!({}), &over(125, "Error")), 10, Some(FailureCause::Infrastructure))]
#[case(pod(&json!({}), &over(128, "StartError")), 10, Some(FailureCause::Refused))]
#[case(pod(&json!({}), &over(0, "Completed")), 9, None)]
#[case(pod(&json!({}), &over(0, "Completed")), 10, Some(FailureCause::Infrastructure))]
#[case(pod(&json!({}), &statuses("Running", &terminated(1, "Error"), &json!({"running": {}}))), 170, None)]
#[case(pod(&json!({}), &statuses("Running", &terminated(1, "Error"), &json!({"running": {}}))), 180, Some(FailureCause::User))]
#[case(pod(&json!({}), &statuses("Running", &terminated(1, "Error"), &json!({"waiting": {"reason": "CrashLoopBackOff"}}))), 10, Some(FailureCause::User))]
#[case(pod(&json!({}), &json!({"phase": "Succeeded"})), 10, Some(FailureCause::Infrastructure))]
#[case(pod(&json!({}), &json!({"phase": "Failed"})), 10, Some(FailureCause::Infrastructure))]
// A launcher that lost sight of the process: what the Pod says decides, and soon.
#[case(pod(&failed("INTERRUPTED"), &running()), 9, None)]
#[case(pod(&failed("INTERRUPTED"), &running()), 10, Some(FailureCause::Infrastructure))]
#[case(pod(&failed("INTERRUPTED"), &over(137, "OOMKilled")), 0, Some(FailureCause::User))]
#[case(pod(&failed("INTERRUPTED"), &over(0, "Completed")), 0, Some(FailureCause::Infrastructure))]
#[case(pod(&failed("CANCELED"), &running()), 9, None)]
// An init container of the author's ended badly; one that runs beside the task only has been stopped.
#[case(initialised(1, "Error"), 9, None)]
#[case(initialised(1, "Error"), 10, Some(FailureCause::User))]
#[case(initialised(128, "StartError"), 10, Some(FailureCause::Refused))]
#[case(initialised(0, "Completed"), 10, None)]
// Never started.
#[case(pod(&json!({}), &statuses("Pending", &json!({"waiting": {"reason": "InvalidImageName"}}), &json!({"running": {}}))), 0, Some(FailureCause::Refused))]
#[case(pod(&json!({}), &statuses("Pending", &json!({"waiting": {"reason": "ImagePullBackOff"}}), &json!({"running": {}}))), 299, None)]
#[case(pod(&json!({}), &statuses("Pending", &json!({"waiting": {"reason": "ErrImagePull"}}), &json!({"running": {}}))), 300, Some(FailureCause::Refused))]
#[case(pod(&json!({}), &statuses("Pending", &json!({"waiting": {"reason": "CreateContainerConfigError"}}), &json!({"running": {}}))), 300, Some(FailureCause::Refused))]
#[case(pod(&json!({}), &statuses("Pending", &json!({"waiting": {"reason": "PodInitializing"}}), &json!({"waiting": {"reason": "CrashLoopBackOff"}}))), 3599, None)]
#[case(pod(&json!({}), &statuses("Pending", &json!({"waiting": {"reason": "PodInitializing"}}), &json!({"waiting": {"reason": "CrashLoopBackOff"}}))), 3600, Some(FailureCause::Infrastructure))]
// At work.
#[case(pod(&json!({}), &running()), 1_000_000, None)]
#[case(pod(&json!({}), &json!({})), 0, None)]
fn every_way_of_dying_has_its_verdict(#[case] pod: Pod, #[case] in_stage: u64, #[case] cause: Option<FailureCause>) {
    let verdict = judge(Some(&pod), in_stage, None);
    assert_eq!(lost_cause(&verdict), cause, "{verdict:?}");
    assert!(cause.is_some() || matches!(verdict, Verdict::Wait { .. }), "{verdict:?}");
}

#[rstest]
#[case(running())]
#[case(over(0, "Completed"))]
#[case(over(137, "OOMKilled"))]
#[case(with(over(137, "Error"), "conditions", disruption()))]
#[case(json!({"phase": "Failed", "reason": "Evicted"}))]
#[case(json!({}))]
fn r5_report_of_success_comes_before_everything_the_pod_says(#[case] status: Value) {
    for stopping in [None, Some(1000)] {
        let verdict = judge(Some(&pod(&succeeded(), &status)), 1000, stopping);
        assert!(matches!(verdict, Verdict::Reported(_)), "{verdict:?}");
    }
}

#[test]
fn report_of_failure_counts_at_once() {
    for cause in ["USER", "TIMEOUT", "OUTPUT", "INPUT", "REFUSED", "INFRASTRUCTURE"] {
        let verdict = judge(Some(&pod(&failed(cause), &running())), 0, None);
        assert!(matches!(verdict, Verdict::Reported(_)), "{cause}: {verdict:?}");
    }
    let stopped = judge(Some(&pod(&failed("CANCELED"), &running())), 0, Some(1));
    assert!(matches!(stopped, Verdict::Reported(_)), "it was asked for: {stopped:?}");
}

#[rstest]
#[case("")]
#[case("null")]
#[case("{")]
#[case("[]")]
#[case("{\"version\":1}")]
#[case(
    "{\"version\":99,\"podUid\":\"uid-1\",\"attempt\":{\"runId\":\"00000000-0000-0000-0000-000000000001\",\"taskId\":\"00000000-0000-0000-0000-000000000002\",\"attempt\":3},\"outcome\":{\"succeeded\":{\"manifestDigest\":\"x\"}}}"
)]
#[case(
    "{\"version\":1,\"podUid\":\"uid-2\",\"attempt\":{\"runId\":\"00000000-0000-0000-0000-000000000001\",\"taskId\":\"00000000-0000-0000-0000-000000000002\",\"attempt\":3},\"outcome\":{\"succeeded\":{\"manifestDigest\":\"x\"}}}"
)]
#[case(
    "{\"version\":1,\"podUid\":\"uid-1\",\"attempt\":{\"runId\":\"00000000-0000-0000-0000-000000000001\",\"taskId\":\"00000000-0000-0000-0000-000000000002\",\"attempt\":2},\"outcome\":{\"succeeded\":{\"manifestDigest\":\"x\"}}}"
)]
fn i20_t18_report_that_is_broken_or_anothers_is_none(#[case] text: &str) {
    let metadata = json!({"annotations": {keys::ANNOTATION_REPORT: text}});
    let verdict = judge(Some(&pod(&metadata, &running())), 0, None);
    assert!(matches!(verdict, Verdict::Wait { .. }), "{verdict:?}");
    let verdict = judge(Some(&pod(&metadata, &over(0, "Completed"))), 10, None);
    assert_eq!(lost_cause(&verdict), Some(FailureCause::Infrastructure));
}

#[test]
fn i20_report_above_the_limit_is_not_read() {
    let long = json!({"failed": {"cause": "USER", "message": "x".repeat(keys::MAX_REPORT)}});
    let verdict = judge(Some(&pod(&reporting(&long), &running())), 0, None);
    assert!(matches!(verdict, Verdict::Wait { .. }), "{verdict:?}");
}

#[test]
fn stopping_ends_when_nothing_runs_or_the_bound_has_passed() {
    let running = pod(&deleted(), &running());
    assert!(matches!(judge(Some(&running), 0, Some(0)), Verdict::Wait { .. }));
    assert!(matches!(judge(Some(&running), 0, Some(89)), Verdict::Wait { .. }));
    assert_eq!(judge(Some(&running), 0, Some(90)), Verdict::Terminated);
    assert_eq!(judge(Some(&pod(&deleted(), &over(143, "Error"))), 0, Some(1)), Verdict::Terminated);
    assert_eq!(judge(None, 0, Some(1)), Verdict::Terminated);
}

#[test]
fn f11_pod_that_is_gone_is_lost() {
    assert_eq!(lost_cause(&judge(None, 0, None)), Some(FailureCause::Infrastructure));
    let never_scheduled: Pod = serde_json::from_value(json!({
        "metadata": {"uid": UID, "deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 30},
        "status": {"phase": "Pending"},
    }))
    .expect("a Pod");
    assert_eq!(lost_cause(&judge(Some(&never_scheduled), 10, None)), Some(FailureCause::Infrastructure));
}

#[test]
fn f17_f16_what_a_pod_waits_for_is_shown() {
    let unscheduled: Pod = serde_json::from_value(json!({
        "metadata": {"uid": UID},
        "status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: no gpu"},
        ]},
    }))
    .expect("a Pod");
    let Verdict::Wait { reason, again } = judge(Some(&unscheduled), 10, None) else { panic!("it waits") };
    assert_eq!(reason.as_deref(), Some("Unschedulable: 0/1 nodes: no gpu"));
    assert_eq!(again, Some(Duration::from_secs(3590)));
    assert_eq!(lost_cause(&judge(Some(&unscheduled), 3600, None)), Some(FailureCause::Refused));

    let waiting = json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}});
    let unpulled = pod(&json!({}), &statuses("Pending", &waiting, &json!({"running": {}})));
    let Verdict::Wait { reason, .. } = judge(Some(&unpulled), 0, None) else { panic!("it waits") };
    assert_eq!(reason.as_deref(), Some("container main, image \"python:3.11\": ErrImagePull: not found"));
}

#[test]
fn messages_of_others_are_bounded() {
    let status = json!({"phase": "Failed", "reason": "Odd", "message": "é".repeat(100_000)});
    let Verdict::Lost(failure) = judge(Some(&pod(&json!({}), &status)), 10, None) else { panic!("it is lost") };
    assert!(failure.message.len() < 4096, "{}", failure.message.len());
}

fn state() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({})),
        Just(json!({"running": {}})),
        "(ErrImagePull|InvalidImageName|CreateContainerConfigError|CrashLoopBackOff|.{0,5})"
            .prop_map(|reason| json!({"waiting": {"reason": reason}})),
        (any::<i32>(), "(OOMKilled|Error|StartError|Completed|)")
            .prop_map(|(code, reason)| json!({"terminated": {"exitCode": code, "reason": reason}})),
    ]
}

fn containers(name: &'static str) -> impl Strategy<Value = Value> {
    let one = (prop_oneof![Just(name), Just("other")], state(), state()).prop_map(|(name, state, last)| {
        json!({"name": name, "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state, "lastState": last})
    });
    prop::option::of(prop::collection::vec(one, 0..3)).prop_map(|list| json!(list))
}

fn metadata() -> impl Strategy<Value = Value> {
    let report = prop_oneof![
        Just(Value::Null),
        Just(succeeded()["annotations"].clone()),
        Just(failed("INTERRUPTED")["annotations"].clone()),
        Just(failed("USER")["annotations"].clone()),
        ".{0,20}".prop_map(|text| json!({keys::ANNOTATION_REPORT: text})),
    ];
    (report, prop::option::of(Just(UID)), any::<bool>(), prop::option::of(any::<i64>())).prop_map(
        |(annotations, uid, deleted, grace)| {
            let deletion = deleted.then_some("2026-01-01T00:00:00Z");
            json!({"annotations": annotations, "uid": uid, "deletionTimestamp": deletion, "deletionGracePeriodSeconds": grace})
        },
    )
}

fn any_pod() -> impl Strategy<Value = Pod> {
    let phase = prop::option::of("(Pending|Running|Succeeded|Failed|Unknown|.{0,3})");
    let reason = prop::option::of("(Evicted|DeadlineExceeded|NodeLost|OutOfpods|.{0,3})");
    let condition =
        prop_oneof![Just(Value::Null), Just(disruption()), Just(json!([{"type": "PodScheduled", "status": "False"}])),];
    let parts = (phase, reason, condition, containers("main"), containers(keys::SIDECAR_CONTAINER));
    let status = parts.prop_map(|(phase, reason, conditions, main, launcher)| {
        json!({
            "phase": phase, "reason": reason, "conditions": conditions, "containerStatuses": main,
            "initContainerStatuses": launcher,
        })
    });
    (metadata(), prop::option::of(status), prop::option::of(prop::option::of("n?"))).prop_map(
        |(metadata, status, node)| {
            let spec = node.map(|node| json!({"nodeName": node, "containers": []}));
            serde_json::from_value(json!({"metadata": metadata, "spec": spec, "status": status})).expect("a Pod")
        },
    )
}

proptest! {
    #[test]
    fn i21_every_pod_has_a_verdict_and_no_wait_but_for_its_own_work_is_without_bound(
        pod in prop::option::of(any_pod()),
        in_stage in 0_u64..10_000,
        stopping in prop::option::of(0_u64..200),
    ) {
        let verdict = judge(pod.as_ref(), in_stage, stopping);
        if let Verdict::Wait { again: None, .. } = &verdict {
            prop_assert_eq!(stage_of(pod.as_ref(), &expected()), Stage::Running);
            prop_assert_eq!(stopping, None);
        }
        if let Verdict::Wait { again: Some(again), .. } = &verdict {
            prop_assert!(!again.is_zero(), "it would look again without end");
        }
        // Time alone brings every Pod that does not run to an end.
        let later = judge(pod.as_ref(), 10_000_000_000, None);
        let runs = stage_of(pod.as_ref(), &expected()) == Stage::Running;
        let ended = matches!(later, Verdict::Reported(_) | Verdict::Lost(_));
        prop_assert!(runs || ended, "{:?}", later);
    }
}
