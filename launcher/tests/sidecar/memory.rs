//! How much memory the sidecar takes, at rest and at work (F-15).

use std::fs::File;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::world::{World, argv_of, declare, shared_server, succeeded, until};

/// The most that it may take while it moves data, in KiB: of memory of its own, without the program's text.
const WORKING_LIMIT: u64 = 32 << 10;

/// The most while it stores a hundred thousand small files, whose names and digests it has to keep until the end.
const FILES_LIMIT: u64 = 64 << 10;

/// MiB that are moved.
fn size() -> u64 {
    std::env::var("PENSTOCK_TEST_MIB").ok().and_then(|text| text.parse().ok()).unwrap_or(192)
}

/// A line of `/proc/<pid>/status`, in KiB.
fn status(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn f15_memory_stays_small_whatever_is_moved() {
    let Some(server) = shared_server() else { return };
    let world = World::new(&server, []).await;
    let uri = format!("s3://{}/in/big", world.bucket);
    let file = world.at("own/big");
    File::create(&file).and_then(|file| file.set_len(size() << 20)).expect("a file");
    world.transfer.upload(&file, &uri).await.expect("stored");
    std::fs::remove_file(&file).expect("removed");
    let mut plan = world.plan(
        "touch \"$HERE/own/ran\"; while [ -e \"$HERE/own/ran\" -a ! -e \"$HERE/own/go\" ]; do sleep 0.05; done; cp \"$0\" \"$1\"",
        &["{{$.inputs.artifacts['in'].path}}", "{{$.outputs.artifacts['copy'].path}}"],
    );
    let artifact = json!({ "id": plan.task.id, "name": "in", "type": {}, "uri": uri });
    plan.inputs.artifacts = serde_json::from_value(json!({ "in": [artifact] })).expect("artifacts");
    declare(&mut plan, &json!({}), &json!({ "copy": {} }));
    world.give(&plan);

    let sidecar = world.sidecar();
    let pid = sidecar.id();
    let mut most = 0;
    let mut look = || {
        most = most.max(status(pid, "RssAnon"));
        most
    };
    let entry = world.entry(&argv_of(&plan));
    until("the input is there", || {
        look();
        world.at("own/ran").exists()
    })
    .await;
    let downloaded = look();
    std::fs::write(world.at("own/go"), "").expect("a file");
    until("the output is stored", || {
        look();
        !world.api.seen().is_empty()
    })
    .await;
    let (uploaded, idle) = (look(), status(pid, "RssAnon"));
    println!(
        "moved {} MiB each way: at most {downloaded} KiB of memory while downloading, {uploaded} in all, {idle} afterwards; \
         with the program's text {} at most, {} afterwards",
        size(),
        status(pid, "VmHWM"),
        status(pid, "VmRSS"),
    );
    assert_eq!(entry.wait().await.code(), Some(0), "{}", world.log());
    succeeded(&world.api.reports()[0]);
    world.stop(sidecar).await;
    assert!(uploaded > 0 && uploaded < WORKING_LIMIT, "{uploaded} KiB");
}

#[tokio::test]
async fn f46_memory_stays_small_while_the_log_of_a_running_process_is_stored() {
    let Some(server) = shared_server() else { return };
    let mut world = World::new(&server, []).await;
    world.log_period_seconds = 1;
    let script = "yes | head -c 16M; echo; echo printed; while [ ! -e \"$HERE/own/go\" ]; do sleep 0.05; done";
    let plan = world.plan(script, &[]);
    let (sidecar, entry) = world.start(&plan);
    let (began, mut most) = (Instant::now(), 0);
    while !world.object(&plan.log_uri()).await.is_some_and(|log| log.ends_with("printed\n")) {
        most = most.max(status(sidecar.id(), "RssAnon"));
        assert!(began.elapsed() < Duration::from_secs(30), "{}", world.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    most = most.max(status(sidecar.id(), "RssAnon"));
    println!("stored the end of a log with at most {most} KiB of memory");
    std::fs::write(world.at("own/go"), "").expect("a file");
    assert_eq!(entry.wait().await.code(), Some(0), "{}", world.log());
    world.stop(sidecar).await;
    assert!(most > 0 && most < WORKING_LIMIT, "{most} KiB");
}

/// Files of an output directory.
fn files() -> u64 {
    std::env::var("PENSTOCK_TEST_FILES").ok().and_then(|text| text.parse().ok()).unwrap_or(5_000)
}

#[tokio::test]
async fn i16_memory_stays_small_however_many_files_there_are() {
    let Some(server) = shared_server() else { return };
    let world = World::new(&server, []).await;
    // Each in a directory of a thousand; as many contents as files.
    let script = r#"awk -v files="$1" -v root="$0" 'BEGIN {
        for (n = 0; n < files; n++) {
            if (n % 1000 == 0) { directory = root "/" (n / 1000); system("mkdir -p " directory) }
            file = directory "/" n; print n > file; close(file)
        }
    }'"#;
    let count = files();
    let mut plan = world.plan(script, &["{{$.outputs.artifacts['tree'].path}}", &count.to_string()]);
    declare(&mut plan, &json!({}), &json!({ "tree": {} }));
    let (sidecar, entry) = world.start(&plan);
    // Longer than other waits: it is the work that lasts, not its beginning.
    let (began, patience) = (Instant::now(), Duration::from_secs(60 + count / 100));
    let (mut stored_since, mut most) = (None, 0);
    while world.api.seen().is_empty() {
        if stored_since.is_none() && world.log().contains("action=Store(Well)") {
            stored_since = Some(Instant::now());
        }
        most = most.max(status(sidecar.id(), "RssAnon"));
        assert!(began.elapsed() < patience, "{count} files take too long");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = stored_since.unwrap_or(began).elapsed().as_secs_f64();
    println!("stored {count} files in {took:.1} s with at most {most} KiB of memory");
    assert_eq!(entry.wait().await.code(), Some(0), "{}", world.log());
    succeeded(&world.api.reports()[0]);
    let manifest = world.manifest(&plan).await.expect("a manifest");
    let content = manifest.outputs.artifacts["tree"][0].content.clone().expect("content");
    assert_eq!(content.files, count);
    let last = format!("{}/{}/{}", plan.artifact_uri("tree"), (count - 1) / 1000, count - 1);
    assert_eq!(world.object(&last).await.as_deref(), Some(&*format!("{}\n", count - 1)));
    world.stop(sidecar).await;
    assert!(most > 0 && most < FILES_LIMIT, "{most} KiB");
}
