//! The object store goes away for a while, or for good (F-22).

use std::time::{Duration, Instant};

use penstock_objectstore::testing::seaweed::S3Server;
use penstock_spec::report::FailureCause;
use serde_json::json;

use crate::world::{World, argv_of, declare, failed, succeeded, until};

/// How long it is away.
fn outage() -> Duration {
    let seconds = std::env::var("PENSTOCK_TEST_OUTAGE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(4))
}

#[tokio::test]
async fn f22_outage_during_download_and_upload_is_waited_out() {
    let Some(mut server) = S3Server::start_or_skip() else { return };
    let world = World::new(&server, []).await;
    let uri = format!("s3://{}/in/big", world.bucket);
    let input = vec![7_u8; 30 << 20];
    world.transfer.put_bytes(&uri, input.clone()).await.expect("stored");
    let mut plan = world.plan(
        "cp \"$0\" \"$1\"; touch \"$HERE/own/ran\"",
        &["{{$.inputs.artifacts['in'].path}}", "{{$.outputs.artifacts['copy'].path}}"],
    );
    let artifact = json!({ "id": plan.task.id, "name": "in", "type": {}, "uri": uri });
    plan.inputs.artifacts = serde_json::from_value(json!({ "in": [artifact] })).expect("artifacts");
    declare(&mut plan, &json!({}), &json!({ "copy": {} }));
    world.give(&plan);

    // Down from the beginning.
    server.stop();
    let sidecar = world.sidecar();
    let entry = world.entry(&argv_of(&plan));
    tokio::time::sleep(outage()).await;
    assert!(!world.at("own/ran").exists());
    server.restart().expect("it starts again");
    until("the process has run", || world.at("own/ran").exists()).await;
    // Down while the output is on its way.
    server.stop();
    tokio::time::sleep(outage()).await;
    assert!(world.api.seen().is_empty(), "{:?}", world.api.reports());
    server.restart().expect("it starts again");
    assert_eq!(entry.wait().await.code(), Some(0), "{}", world.log());
    succeeded(&world.api.reports()[0]);
    let content = world.manifest(&plan).await.expect("a manifest").outputs.artifacts["copy"][0].content.clone();
    assert_eq!(content.expect("content").size, input.len() as u64);
    world.stop(sidecar).await;
}

#[tokio::test]
async fn f22_outage_beyond_the_budget_is_an_infrastructure_failure_with_counts() {
    let Some(mut server) = S3Server::start_or_skip() else { return };
    let mut world = World::new(&server, []).await;
    world.environment.push(("PENSTOCK_TRANSFER_BUDGET_SECONDS".to_owned(), "10".to_owned()));
    let mut plan = world.plan(
        "echo x > \"$0\"; touch \"$HERE/own/ran\"; while [ -e \"$HERE/own/ran\" -a ! -e \"$HERE/own/go\" ]; do sleep 0.05; done",
        &["{{$.outputs.artifacts['o'].path}}"],
    );
    declare(&mut plan, &json!({}), &json!({ "o": {} }));
    let (sidecar, entry) = world.start(&plan);
    until("the process runs", || world.at("own/ran").exists()).await;
    server.stop();
    std::fs::write(world.at("own/go"), "").expect("a file");
    let started = Instant::now();
    assert_eq!(entry.wait().await.code(), Some(125), "{}", world.log());
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
    let report = &world.api.reports()[0];
    assert_eq!(failed(report).cause, FailureCause::Infrastructure);
    assert!(failed(report).message.contains("tries)"), "{report:?}");
    world.stop(sidecar).await;
}
