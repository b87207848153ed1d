//! The sidecar, or its other end, goes away in the middle.

use std::time::{Duration, Instant};

use penstock_objectstore::testing::seaweed::S3Server;
use penstock_spec::plan::Plan;
use penstock_spec::report::FailureCause;
use penstock_spec::timings::Timings;
use rustix::process::Signal;
use serde_json::json;

use crate::api_server::Answer;
use crate::world::{Process, World, argv_of, declare, failed, shared_server, steps_of, succeeded, until};

/// A task that goes on once a file appears, or when the place of its test is gone: some are left to nobody.
const WAITING: &str = "echo begun; touch \"$HERE/own/ran\"; while [ -e \"$HERE/own/ran\" -a ! -e \"$HERE/own/go\" ]; do sleep 0.05; done; echo ended; printf 1 > \"$0\"";

impl World {
    /// Whether the process runs and its first line is in the log.
    fn has_begun(&self) -> bool {
        self.at("own/ran").exists() && std::fs::read_to_string(self.at("shared/log")).is_ok_and(|log| log == "begun\n")
    }
}

/// A task that has begun, and waits; its sidecar and main.
async fn begin(world: &World) -> (Plan, Process, Process) {
    let mut plan = world.plan(WAITING, &["{{$.outputs.parameters['p'].output_file}}"]);
    declare(&mut plan, &json!({ "p": "NUMBER_INTEGER" }), &json!({}));
    let (sidecar, entry) = world.start(&plan);
    until("the process runs", || world.has_begun()).await;
    (plan, sidecar, entry)
}

async fn kill(sidecar: Process) {
    sidecar.signal(Signal::KILL);
    sidecar.wait().await;
}

#[tokio::test]
async fn f15_sidecar_that_is_killed_goes_on_where_it_was() {
    let Some(server) = shared_server() else { return };
    let busy = Answer::Status(503, "busy", None);
    let world = World::new(&server, std::iter::repeat_n(busy, 3)).await;
    let mut plan = world.plan(WAITING, &["{{$.outputs.parameters['p'].output_file}}"]);
    declare(&mut plan, &json!({ "p": "NUMBER_INTEGER" }), &json!({}));
    world.give(&plan);

    // Before main is there.
    let sidecar = world.sidecar();
    until("it listens", || world.at("control/entry.sock").exists()).await;
    kill(sidecar).await;
    let sidecar = world.sidecar();
    let entry = world.entry(&argv_of(&plan));
    until("the process runs", || world.at("own/ran").exists()).await;
    // While it runs, twice.
    kill(sidecar).await;
    let sidecar = world.sidecar();
    tokio::time::sleep(Duration::from_millis(300)).await;
    kill(sidecar).await;
    std::fs::write(world.at("own/go"), "").expect("a file");
    tokio::time::sleep(Duration::from_millis(300)).await;
    // While main is held and the API server takes nothing.
    let sidecar = world.sidecar();
    until("it reports", || !world.api.seen().is_empty()).await;
    kill(sidecar).await;
    let sidecar = world.sidecar();
    assert_eq!(entry.wait().await.code(), Some(0), "{}", world.log());
    let reports = world.api.reports();
    let last = reports.last().expect("a report");
    succeeded(last);
    assert!(reports.iter().all(|report| report.outcome == last.outcome), "{reports:?}");
    // The process waited for longer than the sleeps of this test, and its end was heard by another sidecar than its start.
    let Timings { started_at, ended_at, .. } = steps_of(last);
    let ran = ended_at.zip(started_at).map(|(ended, started)| ended.duration_since(started).as_secs_f64());
    assert!(ran.is_some_and(|ran| ran > 0.3), "{ran:?}");
    assert_eq!(world.object(&plan.log_uri()).await.as_deref(), Some("begun\nended\n"), "it ran once");
    world.stop(sidecar).await;
}

#[tokio::test]
async fn f15_sidecar_that_is_killed_whenever_it_stores_gives_up() {
    let Some(mut server) = S3Server::start_or_skip() else { return };
    let world = World::new(&server, []).await;
    let mut plan = world.plan(WAITING, &["{{$.outputs.parameters['p'].output_file}}"]);
    declare(&mut plan, &json!({ "p": "NUMBER_INTEGER" }), &json!({}));
    world.give(&plan);
    let mut sidecar = world.sidecar();
    let entry = world.entry(&argv_of(&plan));
    until("the process runs", || world.has_begun()).await;
    // What is to be stored stays on its way.
    server.stop();
    std::fs::write(world.at("own/go"), "").expect("a file");
    for times in 1..=4 {
        let begun = format!("\"stores\":{times},");
        let memory = world.at("control/.launcher.json");
        until(&begun, || std::fs::read_to_string(&memory).is_ok_and(|text| text.contains(&begun))).await;
        kill(sidecar).await;
        sidecar = world.sidecar();
    }
    assert_eq!(entry.wait().await.code(), Some(125), "{}", world.log());
    let reports = world.api.reports();
    let message = &failed(&reports[0]).message;
    assert!(message.contains("was killed 4 times while it stored the outputs"), "{message}");
    world.stop(sidecar).await;
}

#[tokio::test]
async fn main_that_is_killed_is_reported_as_interrupted() {
    let Some(server) = shared_server() else { return };
    let world = World::new(&server, []).await;
    let (plan, sidecar, entry) = begin(&world).await;
    let started = Instant::now();
    entry.signal(Signal::KILL);
    entry.wait().await;
    until("it is reported", || !world.api.seen().is_empty()).await;
    assert!((4..8).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    let report = &world.api.reports()[0];
    assert_eq!(failed(report).cause, FailureCause::Interrupted);
    assert_eq!(world.object(&plan.log_uri()).await.as_deref(), Some("begun\n"));
    std::fs::write(world.at("own/go"), "").expect("a file");
    world.stop(sidecar).await;
}

#[tokio::test]
async fn f14_main_that_is_killed_is_reported_although_the_kubelet_ends_the_sidecar_too() {
    let Some(server) = shared_server() else { return };
    let world = World::new(&server, []).await;
    let (plan, sidecar, entry) = begin(&world).await;
    entry.signal(Signal::KILL);
    entry.wait().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    sidecar.signal(Signal::TERM);
    assert!(sidecar.wait().await.success());
    let report = &world.api.reports()[0];
    assert_eq!(failed(report).cause, FailureCause::Interrupted);
    assert_eq!(report.log_uri.as_deref(), Some(plan.log_uri().as_str()));
    assert_eq!(world.object(&plan.log_uri()).await.as_deref(), Some("begun\n"));
    std::fs::write(world.at("own/go"), "").expect("a file");
}

#[tokio::test]
async fn f37_pod_that_is_deleted_ends_within_its_grace_with_its_log() {
    let Some(server) = shared_server() else { return };
    let mut world = World::new(&server, []).await;
    // That of a task's Pod.
    world.grace_seconds = 60;
    let (plan, sidecar, entry) = begin(&world).await;
    let deleted = Instant::now();
    // The kubelet's order: main first.
    entry.signal(Signal::TERM);
    assert_eq!(entry.wait().await.code(), Some(143));
    assert!(deleted.elapsed() < Duration::from_secs(world.grace_seconds), "{:?}", deleted.elapsed());
    let report = &world.api.reports()[0];
    assert_eq!((failed(report).cause, report.exit_code), (FailureCause::Interrupted, Some(143)));
    assert_eq!(world.object(&plan.log_uri()).await.as_deref(), Some("begun\n"));
    assert_eq!(world.manifest(&plan).await, None);
    world.stop(sidecar).await;
}

#[tokio::test]
async fn sidecar_that_is_stopped_while_the_process_runs_stores_the_log_so_far() {
    let Some(server) = shared_server() else { return };
    let world = World::new(&server, []).await;
    let (plan, sidecar, entry) = begin(&world).await;
    let started = Instant::now();
    sidecar.signal(Signal::TERM);
    assert!(sidecar.wait().await.success());
    assert!(started.elapsed() < Duration::from_secs(4));
    assert_eq!(world.object(&plan.log_uri()).await.as_deref(), Some("begun\n"));
    std::fs::write(world.at("own/go"), "").expect("a file");
    drop(entry);
}

#[tokio::test]
async fn f46_log_of_a_pod_whose_node_is_lost_is_there_but_for_its_end() {
    let Some(server) = shared_server() else { return };
    let mut world = World::new(&server, []).await;
    world.log_period_seconds = 1;
    let (plan, sidecar, entry) = begin(&world).await;
    until_stored(&world, &plan, "begun\n").await;
    // Nobody has a last word.
    kill(sidecar).await;
    entry.signal(Signal::KILL);
    entry.wait().await;
    assert_eq!(world.object(&plan.log_uri()).await.as_deref(), Some("begun\n"));
    std::fs::write(world.at("own/go"), "").expect("a file");
}

#[tokio::test]
async fn f46_log_that_was_stored_while_the_process_ran_is_replaced_by_the_whole_one() {
    let Some(server) = shared_server() else { return };
    let mut world = World::new(&server, []).await;
    world.log_period_seconds = 1;
    let (plan, sidecar, entry) = begin(&world).await;
    // A sidecar that is killed does not forget to go on with it.
    kill(sidecar).await;
    let sidecar = world.sidecar();
    until_stored(&world, &plan, "begun\n").await;
    std::fs::write(world.at("own/go"), "").expect("a file");
    assert_eq!(entry.wait().await.code(), Some(0), "{}", world.log());
    let report = &world.api.reports()[0];
    succeeded(report);
    assert_eq!(report.log_uri.as_deref(), Some(plan.log_uri().as_str()));
    assert_eq!(world.object(&plan.log_uri()).await.as_deref(), Some("begun\nended\n"));
    world.stop(sidecar).await;
}

/// Waits until this is what is stored of the log.
async fn until_stored(world: &World, plan: &Plan, text: &str) {
    let began = Instant::now();
    while world.object(&plan.log_uri()).await.as_deref() != Some(text) {
        assert!(began.elapsed() < Duration::from_secs(20), "{}", world.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn f37_sidecar_that_is_stopped_during_a_download_ends_at_once() {
    let Some(server) = shared_server() else { return };
    let world = World::new(&server, []).await;
    let uri = format!("s3://{}/in/big", world.bucket);
    world.transfer.put_bytes(&uri, vec![7_u8; 40 << 20]).await.expect("stored");
    let mut plan = world.plan("true", &["{{$.inputs.artifacts['in'].path}}"]);
    let artifact = json!({ "id": plan.task.id, "name": "in", "type": {}, "uri": uri });
    plan.inputs.artifacts = serde_json::from_value(json!({ "in": [artifact] })).expect("artifacts");
    world.give(&plan);
    let sidecar = world.sidecar();
    let parent = world.path_of(&uri).parent().expect("a parent").to_owned();
    until("it downloads", || parent.read_dir().is_ok_and(|mut entries| entries.next().is_some())).await;
    world.stop(sidecar).await;
    let left: Vec<_> = parent.read_dir().expect("a directory").filter_map(Result::ok).collect();
    assert!(left.iter().all(|entry| entry.path() == world.path_of(&uri)), "{left:?}");
}
