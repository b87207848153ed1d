//! User code that wants more than its own: T-04, I-16, I-17.

use std::io::Write as _;

use penstock_spec::report::FailureCause;
use rustix::fs::{FileType, Mode};
use serde_json::json;

use crate::world::{World, declare, failed, is_root, shared_server, succeeded, until};

const CANARY: &str = "canary-that-must-not-leave";

/// Says that this test is skipped, past the capture of its output.
fn skip(why: &str) {
    // If standard error is gone, nobody is there to be told.
    let thread = std::thread::current();
    let _ = writeln!(std::io::stderr(), "SKIPPED {}: {why}", thread.name().unwrap_or_default());
}

/// Everything that the run stored, as text.
async fn stored(world: &World, root: &str) -> String {
    let (store, key) = world.transfer.stores().open(root).expect("a store");
    let page = store.list(&key, None).await.expect("a listing");
    let mut all = String::new();
    for object in page.objects {
        let uri = format!("s3://{}/{}", world.bucket, object.key);
        all.push_str(&world.object(&uri).await.unwrap_or_default());
    }
    all
}

#[tokio::test]
async fn t04_traps_in_outputs_are_refused_by_path_and_never_read() {
    let Some(server) = shared_server() else { return };
    let secret = "\"$HERE/pod/canary\"";
    for (trap, reason) in [
        (format!("ln -s {secret} \"$0\""), "symbolic link"),
        (format!("mkdir \"$0\"; ln -s {secret} \"$0/link\""), "symbolic link"),
        ("mkdir \"$0\"; ln -s \"$HERE/pod\" \"$0/pod\"".to_owned(), "symbolic link"),
        ("mkfifo \"$0\"".to_owned(), "a FIFO"),
        ("mkdir -p \"$0/sub\"; mkfifo \"$0/sub/fifo\"".to_owned(), "a FIFO"),
        // The directory above is swapped: the path then leads among the sidecar's own files.
        (
            "d=$(dirname \"$0\"); mv \"$d\" \"$d.old\"; mkdir -p \"$HERE/pod2\"; ln -s \"$HERE/pod\" \"$d\"".to_owned(),
            "symbolic link",
        ),
    ] {
        let world = World::new(&server, []).await;
        world.pod_file("canary", CANARY);
        world.pod_file("model", CANARY);
        let mut plan = world.plan(&trap, &["{{$.outputs.artifacts['model'].path}}"]);
        declare(&mut plan, &json!({}), &json!({ "model": {} }));
        let (report, code) = world.run(&plan).await;
        let failure = failed(&report);
        assert_eq!((failure.cause, code), (FailureCause::Output, Some(125)), "{trap}: {failure:?}");
        assert!(failure.message.contains(reason), "{trap}: {failure:?}");
        assert!(failure.message.contains(&world.directory.path().display().to_string()), "{failure:?}");
        let all = stored(&world, &plan.task_root).await + &format!("{report:?}");
        assert!(!all.contains(CANARY), "{trap}");
    }
}

#[tokio::test]
async fn t04_links_for_small_files_and_the_log_are_not_followed() {
    let Some(server) = shared_server() else { return };
    for (trap, argument) in [
        ("ln -s \"$HERE/pod/canary\" \"$0\"", "{{$.outputs.parameters['p'].output_file}}"),
        ("ln -s \"$HERE/pod/canary\" \"$0\"", "{{$.outputs.output_file}}"),
        ("mkfifo \"$0\"", "{{$.outputs.parameters['p'].output_file}}"),
        ("rm \"$HERE/shared/log\"; ln -s \"$HERE/pod/canary\" \"$HERE/shared/log\"; exit 1", ""),
    ] {
        let world = World::new(&server, []).await;
        world.pod_file("canary", CANARY);
        let mut plan = world.plan(trap, &[argument]);
        declare(&mut plan, &json!({ "p": "STRING" }), &json!({}));
        let (report, _) = world.run(&plan).await;
        failed(&report);
        let all = stored(&world, &plan.task_root).await + &format!("{report:?}");
        assert!(!all.contains(CANARY), "{trap}: {report:?}");
    }
}

#[tokio::test]
async fn i16_devices_in_outputs_are_refused_by_path_and_never_opened() {
    let Some(server) = shared_server() else { return };
    let argument = "{{$.outputs.artifacts['model'].path}}";
    // An endless one: whoever reads it does not come back.
    let zero = rustix::fs::makedev(1, 5);
    for (kind, place) in [
        (FileType::CharacterDevice, "model"),
        (FileType::CharacterDevice, "model/deep/device"),
        (FileType::BlockDevice, "model/deep/device"),
        (FileType::CharacterDevice, "p"),
    ] {
        let world = World::new(&server, []).await;
        let script = "mkdir -p \"$(dirname \"$0\")\"; touch \"$HERE/own/ran\"; while [ -e \"$HERE/own/ran\" -a ! -e \"$HERE/own/go\" ]; do sleep 0.05; done";
        let mut plan = world.plan(script, &[argument, "{{$.outputs.parameters['p'].output_file}}"]);
        declare(&mut plan, &json!({ "p": "STRING" }), &json!({ "model": {} }));
        let (sidecar, entry) = world.start(&plan);
        until("the process runs", || world.at("own/ran").exists()).await;
        // User code may not make one; a volume may bring one.
        let model = world.path_of(&plan.artifact_uri("model"));
        let parameter = world.at("root/tmp/kfp/outputs/p");
        let path = match place {
            "p" => parameter.clone(),
            place => model.with_file_name(place),
        };
        if place != "p" {
            std::fs::write(&parameter, "text").expect("a file");
        }
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        let mode = Mode::from_raw_mode(0o666);
        if let Err(error) = rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, zero) {
            skip(&format!("only root, with the capability for it, can make devices: {error}"));
            return;
        }
        std::fs::write(world.at("own/go"), "").expect("a file");
        assert_eq!(entry.wait().await.code(), Some(125), "{place}: {}", world.log());
        let report = &world.api.reports()[0];
        let failure = failed(report);
        assert_eq!(failure.cause, FailureCause::Output, "{place}: {failure:?}");
        assert!(failure.message.contains("a device"), "{place}: {failure:?}");
        assert!(failure.message.contains(&path.display().to_string()), "{place}: {failure:?}");
        world.stop(sidecar).await;
        assert_eq!(world.manifest(&plan).await, None);
    }
}

#[tokio::test]
async fn i17_reported_places_of_the_sidecars_own_are_not_read() {
    let Some(server) = shared_server() else { return };
    let world = World::new(&server, []).await;
    if !is_root() {
        skip("only root can give a file to another UID");
        return;
    }
    // Only the sidecar may read it; the user's UID, through which other paths are opened, may not.
    world.pod_file("canary", CANARY);
    std::os::unix::fs::chown(world.at("pod/canary"), Some(crate::world::SIDECAR_UID), None).expect("owned");
    std::fs::set_permissions(world.at("pod/canary"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .expect("private");
    let report = r#"printf '{"artifacts": {"m": {"artifacts": [{"name": "m", "customPath": "%s"}]}}}' "$HERE/pod/canary" > "$0""#;
    let mut plan = world.plan(report, &["{{$.outputs.output_file}}"]);
    declare(&mut plan, &json!({}), &json!({ "m": {} }));
    let (report, _) = world.run(&plan).await;
    assert_eq!(failed(&report).cause, FailureCause::Output);
    assert!(failed(&report).message.to_lowercase().contains("permission denied"), "{report:?}");
}

#[tokio::test]
async fn private_files_of_another_uid_are_stored() {
    let Some(server) = shared_server() else { return };
    if !is_root() {
        skip("only root can run processes under other UIDs");
        return;
    }
    let world = World::new(&server, []).await;
    let script = r#"umask 077; printf 5 > "$0"; mkdir -p "$1/deep"; echo a > "$1/deep/a"; echo b > "$1/b"; echo '{}' > "$2"
        echo hidden > "$HERE/own/c"
        printf '{"artifacts": {"c": {"artifacts": [{"name": "c", "customPath": "%s"}]}}}' "$HERE/own/c" > "$2""#;
    let mut plan = world.plan(
        script,
        &[
            "{{$.outputs.parameters['p'].output_file}}",
            "{{$.outputs.artifacts['tree'].path}}",
            "{{$.outputs.output_file}}",
        ],
    );
    declare(&mut plan, &json!({ "p": "NUMBER_INTEGER" }), &json!({ "tree": {}, "c": {} }));
    let (report, code) = world.run(&plan).await;
    succeeded(&report);
    assert_eq!(code, Some(0));
    let manifest = world.manifest(&plan).await.expect("a manifest");
    assert_eq!(manifest.outputs.parameters["p"], json!(5));
    let tree = manifest.outputs.artifacts["tree"][0].content.clone().expect("content");
    assert_eq!((tree.files, tree.size), (2, 4));
    assert_eq!(world.object(&format!("{}/deep/a", plan.artifact_uri("tree"))).await.as_deref(), Some("a\n"));
    assert_eq!(world.object(&plan.artifact_uri("c")).await.as_deref(), Some("hidden\n"));
}
