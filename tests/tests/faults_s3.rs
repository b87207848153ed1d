//! Runs whose artifacts are in S3: as root and as another user, with the server gone in the middle, and with what can be
//! wrong about its settings.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use penstock_objectstore::testing::seaweed::{self, S3Server};
use penstock_tests::binary;
use penstock_tests::deadline::wait_until;
use penstock_tests::invocation::{Finished, Invocation};
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::python;
use penstock_tests::sandbox::Sandbox;
use serde_json::{Value, json};

const BUCKET: &str = "artifacts";
const SOON: Duration = Duration::from_secs(60);
/// A user who may do nothing special.
const NOBODY: &str = "65534";

/// A server with a bucket; `None` after saying that the test is skipped.
fn server() -> Option<S3Server> {
    let server = S3Server::start_or_skip()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(server.create_bucket(BUCKET));
    Some(server)
}

/// A command that knows the server.
fn with_s3(server: &S3Server, invocation: Invocation) -> Invocation {
    invocation
        .env("PENSTOCK_S3_ENDPOINT", server.endpoint())
        .env("AWS_ACCESS_KEY_ID", seaweed::ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", seaweed::SECRET_KEY)
}

fn run(server: &S3Server, sandbox: &Sandbox, pipeline: &Value) -> Invocation {
    with_s3(server, sandbox.run_commands(pipeline)).args(["--root", &format!("s3://{BUCKET}/root")])
}

/// One task writes a file and a directory, the next reads both.
fn exchange(sandbox: &Sandbox) -> Value {
    let folder = sandbox.folder().to_string_lossy().into_owned();
    let make = r#"echo x >> "$1/made"; printf content > "$2"; mkdir -p "$3/sub" && printf a > "$3/a" && printf b > "$3/sub/b""#;
    let read = r#"printf '%s,%s,%s' "$(cat "$1")" "$(cat "$2/a")" "$(cat "$2/sub/b")" > "$3""#;
    let tasks = [
        Task::new("make", make).arg(&folder).artifact("file").artifact("tree").cached(),
        Task::new("read", read)
            .artifact_from("file", "make", "file")
            .artifact_from("tree", "make", "tree")
            .output("seen", "STRING"),
    ];
    Pipeline::new("exchange", tasks).output("seen", "STRING", "read", "seen").build()
}

fn check_exchange(finished: Finished) {
    let end = finished.expect_code(0).document();
    assert_eq!(end.outputs.parameters["seen"], json!("content,a,b"));
    let artifact = &end.task("make").artifacts.outputs["file"][0];
    let root = format!("s3://{BUCKET}/root/exchange/{}/make/", end.run_id);
    assert!(artifact.uri.starts_with(&root), "{} is not below {root}", artifact.uri);
}

#[test]
fn artifacts_go_through_s3_and_results_come_from_the_cache() {
    let Some(server) = server() else { return };
    let sandbox = Sandbox::new();
    let pipeline = exchange(&sandbox);
    check_exchange(run(&server, &sandbox, &pipeline).run());
    let copy = sandbox.path("copy");
    with_s3(&server, sandbox.penstock().args(["cp", "latest/make/tree"]).arg(&copy)).run().expect_code(0);
    assert_eq!((sandbox.read("copy/a"), sandbox.read("copy/sub/b")), ("a".to_owned(), "b".to_owned()));
    let logs = with_s3(&server, sandbox.penstock().args(["logs", "latest"])).run().expect_code(0);
    assert!(!logs.stdout.contains(seaweed::SECRET_KEY));

    let again = run(&server, &sandbox, &pipeline).run().expect_code(0).document();
    assert!(again.task("make").cached);
    assert_eq!(sandbox.read("made"), "x\n");
}

#[test]
fn server_with_a_certificate_of_a_private_authority_is_trusted_by_its_file_only() {
    let Some(server) = server() else { return };
    let sandbox = Sandbox::new();
    let pipeline = exchange(&sandbox);
    let secure = || run(&server, &sandbox, &pipeline).env("PENSTOCK_S3_ENDPOINT", server.https_endpoint());
    check_exchange(secure().env("PENSTOCK_S3_CA_FILE", server.ca_file()).run());

    let refused = secure().run();
    assert!(matches!(refused.code(), Some(1 | 2)), "{refused}");
    assert!(refused.stderr.contains(&server.https_endpoint()), "{refused}");
    assert!(refused.stderr.to_lowercase().contains("certificate"), "the reason is missing: {refused}");
    assert_eq!(sandbox.read("made"), "x\n", "user code ran although its outputs could not be stored");
}

/// The command where these names are of this machine; `None` where this user may not mount.
fn with_host_names(sandbox: &Sandbox, names: &str, invocation: Invocation) -> Option<Invocation> {
    let hosts = sandbox.write("hosts", format!("127.0.0.1 localhost {names}\n")).to_string_lossy().into_owned();
    let script = r#"mount --bind "$0" /etc/hosts && exec "$@""#;
    let args = ["--mount", "--propagation", "private", "sh", "-c", script, &hosts].map(str::to_owned);
    let can = Command::new("unshare").args(&args).arg("true").output();
    can.is_ok_and(|output| output.status.success()).then(|| invocation.through("unshare", &args))
}

#[test]
fn bucket_may_stand_in_the_host_name() {
    let name = "bucket_may_stand_in_the_host_name";
    let Some(server) = server() else { return };
    let sandbox = Sandbox::new();
    let pipeline = exchange(&sandbox);
    let where_known = |names: &str| {
        let command = run(&server, &sandbox, &pipeline)
            .env("PENSTOCK_S3_ENDPOINT", server.named_endpoint())
            .env("PENSTOCK_S3_PATH_STYLE", "false");
        with_host_names(&sandbox, names, command)
    };
    let Some(command) = where_known(&format!("{0} {BUCKET}.{0}", seaweed::DOMAIN)) else {
        return python::skip(name, "this user may not mount");
    };
    check_exchange(command.run());
    // Where only the server's own name is known the bucket's is missed.
    let unknown = where_known(seaweed::DOMAIN).expect("it could be done before").run();
    assert!(matches!(unknown.code(), Some(1 | 2)), "{unknown}");
}

#[test]
fn f22_server_that_goes_away_and_comes_back_does_not_fail_the_run() {
    let Some(mut server) = server() else { return };
    let sandbox = Sandbox::new();
    let folder = sandbox.folder().to_string_lossy().into_owned();
    let wait =
        r#"touch "$1/started"; while [ ! -e "$1/go" ]; do sleep 0.05; done; echo content > "$2"; touch "$1/done""#;
    let tasks = [
        Task::new("wait", wait).arg(&folder).artifact("data"),
        Task::new("read", r#"cp "$1" "$2""#).artifact_from("data", "wait", "data").output("seen", "STRING"),
    ];
    let pipeline = Pipeline::new("outage", tasks).output("seen", "STRING", "read", "seen").build();
    let mut running = run(&server, &sandbox, &pipeline).limit(Duration::from_secs(300)).spawn();
    wait_until("the first task", SOON, || sandbox.has("started"));
    server.stop();
    sandbox.write("go", "");
    wait_until("the task's end without a server", SOON, || sandbox.has("done"));
    // Long enough for the upload to fail at least once: it starts when the process has ended.
    let until = running.elapsed() + Duration::from_secs(2);
    wait_until("uploads to fail", SOON, || running.elapsed() > until);
    assert!(running.is_running(), "the outage failed the run: {}", running.wait());
    server.restart().expect("the server starts again");
    let end = running.wait().expect_code(0).document();
    assert_eq!(end.outputs.parameters["seen"], json!("content\n"));
}

#[test]
fn f27_credentials_without_rights_are_named_before_user_code_runs() {
    let Some(server) = server() else { return };
    let sandbox = Sandbox::new();
    let pipeline = exchange(&sandbox);
    let denied = run(&server, &sandbox, &pipeline)
        .env("AWS_ACCESS_KEY_ID", seaweed::POWERLESS_ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", seaweed::POWERLESS_SECRET_KEY)
        .run();
    assert!(matches!(denied.code(), Some(1 | 2)), "{denied}");
    let said = format!("{}{}", denied.stdout, denied.stderr);
    assert!(said.contains(BUCKET) && !said.contains(seaweed::POWERLESS_SECRET_KEY), "{denied}");
    assert!(said.contains(&server.endpoint()) && said.contains("AccessDenied"), "{denied}");
    assert!(!sandbox.has("made"), "user code ran although its outputs could not be stored");

    // To look is not enough.
    let reader = run(&server, &sandbox, &pipeline)
        .env("AWS_ACCESS_KEY_ID", seaweed::READER_ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", seaweed::READER_SECRET_KEY)
        .run()
        .expect_code(2);
    assert!(reader.stderr.contains(BUCKET) && reader.stderr.contains("AccessDenied"), "{reader}");
    assert!(!sandbox.has("made"), "user code ran although its outputs could not be stored");
}

#[test]
fn f27_missing_bucket_is_named_before_user_code_runs() {
    let Some(server) = server() else { return };
    let sandbox = Sandbox::new();
    let command = with_s3(&server, sandbox.run_commands(&exchange(&sandbox)));
    let missing = command.args(["--root", "s3://no-such-bucket/root"]).run().expect_code(2);
    for part in ["no-such-bucket", "NoSuchBucket", &server.endpoint(), "--root"] {
        assert!(missing.stderr.contains(part), "{part}: {missing}");
    }
    assert!(!sandbox.has("made"), "user code ran although its outputs could not be stored");
    let list = sandbox.penstock().args(["list", "-o", "json"]).run().expect_code(0);
    assert!(
        list.stdout.contains("\"runs\": []") || list.stdout.contains("\"runs\":[]"),
        "a refused run was kept: {list}"
    );
}

#[test]
fn f27_server_that_cannot_be_reached_loses_no_run() {
    let Some(mut server) = server() else { return };
    let sandbox = Sandbox::new();
    let end = run(&server, &sandbox, &exchange(&sandbox)).run().expect_code(0).document();
    let logs = |server: &S3Server| with_s3(server, sandbox.penstock().args(["logs", "latest", "make"])).run();
    logs(&server).expect_code(0);
    assert!(!sandbox.data_dir().join("work").join(&end.run_id).exists(), "work directories are left behind");
    server.stop();
    // What needs no store works, and what needs it says which.
    assert_eq!(sandbox.get_latest(), end);
    server.restart().expect("the server starts again");
    logs(&server).expect_code(0);
}

/// The command as a user who is not root; `None` where this user may not become another.
fn as_nobody(sandbox: &Sandbox, invocation: Invocation) -> Option<Invocation> {
    let args = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()];
    let can = Command::new("setpriv").args(&args).arg(binary::penstock()).arg("--version").output();
    if !can.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let owner = Command::new("chown").args(["-R", NOBODY]).arg(sandbox.folder()).status();
    assert!(owner.is_ok_and(|status| status.success()), "the sandbox cannot be given away");
    std::fs::set_permissions(sandbox.folder(), std::fs::Permissions::from_mode(0o755)).expect("our own folder");
    Some(invocation.through("setpriv", &args))
}

#[test]
fn user_who_is_not_root_runs_pipelines_with_local_artifacts() {
    let name = "user_who_is_not_root_runs_pipelines_with_local_artifacts";
    let sandbox = Sandbox::new();
    let pipeline = exchange(&sandbox);
    let Some(invocation) = as_nobody(&sandbox, sandbox.run_commands(&pipeline)) else {
        return python::skip(name, "this user may not become another one");
    };
    let end = invocation.run().expect_code(0).document();
    assert_eq!(end.outputs.parameters["seen"], json!("content,a,b"));
}

#[test]
fn user_who_is_not_root_runs_pipelines_with_artifacts_in_s3() {
    let name = "user_who_is_not_root_runs_pipelines_with_artifacts_in_s3";
    let Some(server) = server() else { return };
    let sandbox = Sandbox::new();
    let pipeline = exchange(&sandbox);
    let Some(invocation) = as_nobody(&sandbox, run(&server, &sandbox, &pipeline)) else {
        return python::skip(name, "this user may not become another one");
    };
    check_exchange(invocation.run());
}

#[test]
fn python_components_exchange_artifacts_through_s3() {
    let name = "python_components_exchange_artifacts_through_s3";
    let Some(interpreter) = python::find_or_skip(name) else { return };
    let Some(server) = server() else { return };
    let sandbox = Sandbox::new();
    let sample = binary::samples().join("several_outputs.yaml");
    let local = sandbox.penstock().python(&interpreter).args(["run", "-o", "json"]).arg(&sample).run();
    let local = local.expect_code(0).document();
    let command = sandbox.penstock().python(&interpreter).args(["run", "-o", "json", "--no-cache"]).arg(&sample);
    let command = with_s3(&server, command).args(["--root", &format!("s3://{BUCKET}/root")]);
    let stored = command.run().expect_code(0).document();
    assert_eq!(stored.outputs.parameters, local.outputs.parameters);
    for (name, artifacts) in &stored.outputs.artifacts {
        assert!(artifacts.iter().all(|artifact| artifact.uri.starts_with("s3://")), "{name}: {artifacts:?}");
        let metadata = |of: &[penstock_tests::document::ArtifactDocument]| -> Vec<_> {
            of.iter().map(|artifact| artifact.metadata.clone()).collect()
        };
        assert_eq!(metadata(artifacts), metadata(&local.outputs.artifacts[name]));
    }
}
