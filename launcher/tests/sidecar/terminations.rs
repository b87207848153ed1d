//! The Pod is ended while its outputs are being stored (F-11, F-12, F-37).

use std::time::{Duration, Instant};

use penstock_spec::plan::Plan;
use penstock_spec::report::FailureCause;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::api_server::Answer;
use crate::slow_store::SlowStore;
use crate::world::{Process, World, declare, failed, shared_server, succeeded, until};

/// An artifact that a slow store takes much longer for than any of these tests.
const ENDLESS: &str = "echo begun; truncate -s 20G \"$0\"";

fn pod_being_deleted(conditions: &Value) -> Answer {
    Answer::Pod(json!({
        "kind": "Pod",
        "metadata": { "deletionTimestamp": "2026-01-02T03:04:05Z", "deletionGracePeriodSeconds": 60 },
        "status": { "conditions": conditions },
    }))
}

/// A Pod whose process has ended and whose output is on its way.
async fn storing(world: &World, plan: &Plan) -> (Process, Process) {
    let (sidecar, entry) = world.start(plan);
    until("the output is on its way", || world.log().contains("action=Store(Well)")).await;
    (sidecar, entry)
}

fn plan(world: &World, script: &str) -> Plan {
    let mut plan = world.plan(script, &["{{$.outputs.artifacts['o'].path}}"]);
    declare(&mut plan, &json!({}), &json!({ "o": {} }));
    plan
}

#[tokio::test]
async fn f37_outputs_of_a_pod_that_was_deleted_are_given_up_at_once() {
    let Some(server) = shared_server() else { return };
    let mut world = World::new(&server, [pod_being_deleted(&json!([]))]).await;
    world.grace_seconds = 60;
    world.write_settings(&SlowStore::start(&server).await.endpoint(), &json!({}));
    let plan = plan(&world, ENDLESS);
    let (sidecar, entry) = storing(&world, &plan).await;
    let started = Instant::now();
    entry.signal(Signal::TERM);
    assert_eq!(entry.wait().await.code(), Some(125), "{}", world.log());
    assert!(started.elapsed() < Duration::from_secs(25), "{:?}: {}", started.elapsed(), world.log());
    assert!(world.termination_message().contains("was deleted"), "{}", world.termination_message());
    let [question, report] = &world.api.seen()[..] else { panic!("{:?}", world.api.seen()) };
    assert_eq!(question.target, report.target);
    assert_eq!(question.patch, json!({ "metadata": { "uid": crate::api_server::UID } }), "it changes nothing");
    let report = &world.api.reports()[0];
    assert_eq!((failed(report).cause, report.exit_code), (FailureCause::Interrupted, Some(0)));
    assert_eq!(world.object(&plan.log_uri()).await.as_deref(), Some("begun\n"));
    assert_eq!(world.manifest(&plan).await, None);
    world.stop(sidecar).await;
}

#[tokio::test]
async fn f12_outputs_of_a_pod_that_is_evicted_are_stored_while_there_is_time() {
    let Some(server) = shared_server() else { return };
    let evicted = json!([{ "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI" }]);
    let mut world = World::new(&server, [pod_being_deleted(&evicted)]).await;
    world.grace_seconds = 60;
    let plan = plan(&world, "truncate -s 48M \"$0\"");
    let (sidecar, entry) = storing(&world, &plan).await;
    entry.signal(Signal::TERM);
    assert_eq!(entry.wait().await.code(), Some(0), "{}", world.log());
    assert_eq!(world.api.seen().len(), 2, "it asked, and reported: {}", world.log());
    succeeded(&world.api.reports()[0]);
    assert!(world.manifest(&plan).await.is_some());
    world.stop(sidecar).await;
}

#[tokio::test]
async fn f37_main_ends_before_its_grace_does_and_leaves_the_sidecar_its_time() {
    let Some(server) = shared_server() else { return };
    // Nobody says why the Pod ends.
    let world = World::new(&server, std::iter::repeat_n(Answer::Status(503, "busy", None), 100)).await;
    world.write_settings(&SlowStore::start(&server).await.endpoint(), &json!({}));
    let plan = plan(&world, ENDLESS);
    let (sidecar, entry) = storing(&world, &plan).await;
    let started = Instant::now();
    entry.signal(Signal::TERM);
    assert_eq!(entry.wait().await.code(), Some(125), "{}", world.log());
    let took = started.elapsed();
    assert!(took > Duration::from_secs(2), "it had this time: {took:?}");
    assert!(took < Duration::from_secs(world.grace_seconds), "{took:?}");
    assert!(world.termination_message().contains("the Pod is being ended"), "{}", world.termination_message());
    world.stop(sidecar).await;
    assert_eq!(world.manifest(&plan).await, None);
    assert_eq!(world.api.reports(), []);
}
