//! Pods that are no tasks: "download these, run, upload those".

use std::path::PathBuf;

use penstock_launcher::pod::data::DataManifest;
use penstock_objectstore::testing::seaweed::S3Server;
use penstock_spec::keys;
use rustix::process::Signal;
use serde_json::json;
use tokio::net::TcpListener;

use crate::world::{Process, SIDECAR_UID, World, shared_server, until};

impl World {
    async fn run_data(&self, inputs: &str, outputs: &str, script: &str) -> Option<i32> {
        let fill = |text: &str| {
            text.replace("BUCKET", &self.bucket).replace("HERE", &self.directory.path().display().to_string())
        };
        self.pod_file(keys::POD_INPUTS_FILE, &fill(inputs));
        self.pod_file(keys::POD_OUTPUTS_FILE, &fill(outputs));
        let sidecar = self.sidecar();
        let entry = self.entry(&["sh".to_owned(), "-ec".to_owned(), script.to_owned()]);
        let code = entry.wait().await.code();
        self.stop(sidecar).await;
        assert!(self.api.seen().is_empty(), "such a Pod has no token to report with");
        code
    }
}

#[tokio::test]
async fn inputs_come_before_and_outputs_go_after() {
    let Some(server) = shared_server() else { return };
    let world = World::new(&server, []).await;
    let at = |key: &str| format!("s3://{}/{key}", world.bucket);
    for (key, text) in [("in/a.csv", "a\n"), ("in/images/1", "one\n"), ("in/images/sub/2", "two\n")] {
        world.transfer.put_bytes(&at(key), text).await.expect("stored");
    }
    // The directory of an input is a volume of its own, and may hold something.
    std::fs::create_dir_all(world.at("root/images/sub")).expect("a directory");
    std::fs::write(world.at("root/images/kept"), "kept").expect("a file");
    std::fs::write(world.at("root/images/1"), "old").expect("a file");
    if world.uids.is_some() {
        for path in ["root/images", "root/images/sub"] {
            std::fs::set_permissions(world.at(path), std::os::unix::fs::PermissionsExt::from_mode(0o777))
                .expect("open");
        }
    }
    let inputs = "s3://BUCKET/in/a.csv -> HERE/root/a.csv\ns3://BUCKET/in/images/ -> HERE/root/images/";
    let outputs = "HERE/root/out/result -> s3://BUCKET/out/result\nHERE/root/model/ -> s3://BUCKET/out/model";
    let script = "cd $HERE/root; cat a.csv images/1 images/sub/2 images/kept > out/result; mkdir model/d; echo w > model/d/w; \
                  echo '{{$}} $0 is text'";
    let code = world.run_data(inputs, outputs, script).await;
    assert_eq!(code, Some(0), "{}", world.log());
    assert_eq!(world.object(&at("out/result")).await.as_deref(), Some("a\none\ntwo\nkept"));
    assert_eq!(world.object(&at("out/model/d/w")).await.as_deref(), Some("w\n"));
    let manifest = world.object(&at("out/result.manifest.json")).await.expect("a manifest");
    let manifest: DataManifest = serde_json::from_str(&manifest).expect("a manifest");
    let uris: Vec<_> = manifest.outputs.iter().map(|output| (output.uri.clone(), output.content.files)).collect();
    assert_eq!(uris, [(at("out/result"), 1), (at("out/model"), 1)]);
    let left = std::fs::read_dir(world.at("root/images")).expect("a directory").count();
    assert_eq!(left, 3, "nothing of ours stays");
}

#[tokio::test]
async fn failures_show_in_the_exit_code_and_message() {
    let Some(server) = shared_server() else { return };
    for (inputs, outputs, script, code, message) in [
        ("s3://BUCKET/none -> HERE/root/none", "", "true", 125, "nothing is stored there"),
        ("s3://BUCKET/in -> HERE/root/d/", "", "true", 125, "not a directory"),
        ("", "HERE/root/o -> s3://BUCKET/o", "true", 125, "nothing was written there"),
        (
            "",
            "HERE/root/o/ -> s3://BUCKET/o",
            "rmdir $HERE/root/o; echo x > $HERE/root/o",
            125,
            "it is not a directory",
        ),
        ("", "HERE/root/o -> s3://BUCKET/o", "ln -s $HERE/pod/settings.json $HERE/root/o", 125, "symbolic link"),
        ("", "HERE/root/o -> s3://no-such-bucket/o", "echo x > $HERE/root/o", 125, "NoSuchBucket"),
        ("", "HERE/root/o -> s3://BUCKET/o", "echo x > $HERE/root/o; exit 4", 4, ""),
    ] {
        let world = World::new(&server, []).await;
        world.transfer.put_bytes(&format!("s3://{}/in", world.bucket), "x").await.expect("stored");
        assert_eq!(world.run_data(inputs, outputs, script).await, Some(code), "{script}: {}", world.log());
        let told = world.termination_message();
        assert!(told.contains(message) && (code == 125 || told.is_empty()), "{script}: {told}");
        assert_eq!(world.object(&format!("s3://{}/o", world.bucket)).await, None, "{script}");
        assert_eq!(world.object(&format!("s3://{}/o.manifest.json", world.bucket)).await, None);
    }
}

/// A Pod that asks for one input and no output.
async fn with_an_input(server: &S3Server) -> World {
    let world = World::new(server, []).await;
    world.transfer.put_bytes(&format!("s3://{}/in", world.bucket), "x").await.expect("stored");
    let line = format!("s3://{}/in -> {}", world.bucket, world.at("root/in").display());
    world.pod_file(keys::POD_INPUTS_FILE, &line);
    world
}

#[tokio::test]
async fn container_that_only_needs_inputs_may_be_started_again() {
    let Some(server) = shared_server() else { return };
    let world = with_an_input(&server).await;
    let mut sidecar = world.sidecar();
    for (round, code) in [(0, 3), (1, 0), (2, 5)] {
        let script = format!("test -s $HERE/root/in; exit {code}");
        let entry = world.entry(&["sh".to_owned(), "-ec".to_owned(), script]);
        assert_eq!(entry.wait().await.code(), Some(code), "{}", world.log());
        if round == 1 {
            world.stop(sidecar).await;
            sidecar = world.sidecar();
        }
    }
    world.stop(sidecar).await;
}

#[tokio::test]
async fn f15_container_that_ends_well_again_and_again_is_not_taken_for_one_whose_launcher_was_killed() {
    let Some(server) = shared_server() else { return };
    let world = with_an_input(&server).await;
    let mut sidecar = world.sidecar();
    for (round, code) in [0, 0, 0, 0, 0, 0, 3].into_iter().enumerate() {
        let entry = world.entry(&["sh".to_owned(), "-c".to_owned(), format!("exit {code}")]);
        assert_eq!(entry.wait().await.code(), Some(code), "round {round}: {}", world.log());
        assert_eq!(world.termination_message(), "", "round {round}");
        if round == 3 {
            sidecar.signal(Signal::KILL);
            sidecar.wait().await;
            sidecar = world.sidecar();
        }
    }
    world.stop(sidecar).await;
}

/// Directories for what is on its way.
fn incoming(directory: &std::path::Path) -> Vec<PathBuf> {
    let entries = directory.read_dir().expect("a directory").filter_map(Result::ok).map(|entry| entry.path());
    entries.filter(|path| path.display().to_string().contains(".penstock-incoming-")).collect()
}

async fn kill(sidecar: Process) {
    sidecar.signal(Signal::KILL);
    sidecar.wait().await;
}

#[tokio::test]
async fn f29_pods_that_share_a_claim_leave_each_others_downloads_alone() {
    let Some(server) = shared_server() else { return };
    // A store that takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut first = World::new(&server, []).await;
    let mut second = World::new(&server, []).await;
    (first.uid, second.uid) = ("uid-1".to_owned(), "uid-12".to_owned());
    let claim = first.at("root/claim");
    std::fs::create_dir(&claim).expect("a directory");
    std::fs::set_permissions(&claim, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("open");
    first.write_settings(&format!("http://{}", silent.local_addr().expect("an address")), &json!({}));
    first.pod_file(keys::POD_INPUTS_FILE, &format!("s3://{}/in -> {}/one", first.bucket, claim.display()));
    let sidecar = first.sidecar();
    until("the first downloads", || incoming(&claim).len() == 1).await;
    let on_its_way = incoming(&claim);

    second.transfer.put_bytes(&format!("s3://{}/in", second.bucket), "x").await.expect("stored");
    let inputs = format!("s3://BUCKET/in -> {}/two", claim.display());
    assert_eq!(second.run_data(&inputs, "", "true").await, Some(0), "{}", second.log());
    assert_eq!(incoming(&claim), on_its_way, "{}", second.log());
    // What a sidecar that was killed left is its successor's to remove.
    kill(sidecar).await;
    let sidecar = first.sidecar();
    until("the first downloads again", || incoming(&claim) != on_its_way && incoming(&claim).len() == 1).await;
    kill(sidecar).await;
}

#[tokio::test]
async fn claim_that_the_launcher_may_not_write_to_is_told_with_the_remedy() {
    let Some(server) = shared_server() else { return };
    let world = World::new(&server, []).await;
    if world.uids.is_none() {
        return;
    }
    world.transfer.put_bytes(&format!("s3://{}/in", world.bucket), "x").await.expect("stored");
    // As a new claim of most storage classes is: root's.
    std::fs::create_dir(world.at("root/claim")).expect("a directory");
    std::fs::set_permissions(world.at("root/claim"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("permissions");
    for inputs in ["s3://BUCKET/in -> HERE/root/claim/in", "s3://BUCKET/in -> HERE/root/claim/new/in"] {
        assert_eq!(world.run_data(inputs, "", "true").await, Some(125), "{}", world.log());
        let told = world.termination_message();
        let user = format!("user {SIDECAR_UID}");
        assert!(told.contains("ermission denied") && told.contains(&user) && told.contains("fsGroup"), "{told}");
    }
}
