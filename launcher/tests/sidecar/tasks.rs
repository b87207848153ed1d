//! Tasks that go as tasks go.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use penstock_objectstore::content::{digest_of, format_digest};
use penstock_objectstore::testing::seaweed::{ACCESS_KEY, SECRET_KEY};
use penstock_spec::keys;
use penstock_spec::report::FailureCause;
use serde_json::json;

use crate::api_server::{NAMESPACE, POD, TOKEN, UID};
use crate::programs::entry_binary;
use crate::world::{World, argv_of, declare, failed, shared_server, steps_of, succeeded, until};

fn artifact(uri: &str) -> serde_json::Value {
    json!([{ "id": "33333333-3333-4333-8333-333333333333", "name": "in", "type": {}, "uri": uri }])
}

#[tokio::test]
async fn entry_that_is_mounted_is_left_as_it_is() {
    let Some(server) = shared_server() else { return };
    let mut world = World::new(&server, []).await;
    world.is_entry_mounted = true;
    std::fs::copy(entry_binary(), world.at("bin/penstock-entry")).expect("a copy");
    let set_mode = |mode| std::fs::set_permissions(world.at("bin"), PermissionsExt::from_mode(mode));
    set_mode(0o555).expect("permissions");
    let plan = world.plan("true", &[]);
    let (report, code) = world.run(&plan).await;
    succeeded(&report);
    assert_eq!(code, Some(0));
    set_mode(0o755).expect("permissions");
    assert_eq!(std::fs::read_dir(world.at("bin")).expect("a directory").count(), 1);
}

#[tokio::test]
async fn task_with_all_kinds_of_data_succeeds() {
    let Some(server) = shared_server() else { return };
    let world = World::new(&server, []).await;
    let input = format!("s3://{}/root/pipe/x/data", world.bucket);
    world.transfer.put_bytes(&format!("{input}/a/one"), "1\n").await.expect("stored");
    world.transfer.put_bytes(&format!("{input}/two"), "2\n").await.expect("stored");
    let script = r#"
        cat "$0/a/one" "$0/two" > "$1"
        printf %s "$2" > "$3"
        mkdir -p "$4/sub/empty"; echo part > "$4/sub/part"
        echo custom > "$HERE/own/custom"
        echo "{\"parameterValues\": {\"n\": 7}, \"artifacts\": {\"c\": {\"artifacts\": [
            {\"name\": \"c\", \"uri\": \"$5\", \"metadata\": {\"k\": 1}, \"custom_path\": \"$HERE/own/custom\"}]}}}" > "$6"
        echo to the log; echo "retry $KFP_RETRY_INDEX"
        touch "$HERE/own/ran"
    "#;
    let mut plan = world.plan(
        script,
        &[
            "{{$.inputs.artifacts['in'].path}}",
            "{{$.outputs.artifacts['file'].path}}",
            "{{$.inputs.parameters['text']}}",
            "{{$.outputs.parameters['copy'].output_file}}",
            "{{$.outputs.artifacts['tree'].path}}",
            "{{$.outputs.artifacts['c'].uri}}",
            "{{$.outputs.output_file}}",
        ],
    );
    plan.retries = true;
    plan.inputs.parameters.insert("text".to_owned(), json!("{{$}} stays\n"));
    plan.inputs.artifacts = serde_json::from_value(json!({ "in": artifact(&input) })).expect("artifacts");
    declare(
        &mut plan,
        &json!({ "copy": "STRING", "n": "NUMBER_INTEGER" }),
        &json!({ "file": {}, "tree": {}, "c": {}, "none": {} }),
    );

    let (report, code) = world.run(&plan).await;
    let digest = succeeded(&report).to_owned();
    assert_eq!((code, report.exit_code, report.pod_uid.as_str()), (Some(0), Some(0), UID));
    steps_of(&report);
    let bytes = world.object(&plan.manifest_uri()).await.expect("a manifest");
    assert_eq!(format_digest(&digest_of(bytes.as_bytes())), digest);
    let manifest = world.manifest(&plan).await.expect("a manifest");
    assert_eq!(manifest.attempt, report.attempt);
    let outputs = &manifest.outputs;
    assert_eq!(outputs.parameters["copy"], json!("{{$}} stays\n"));
    assert_eq!(outputs.parameters["n"], json!(7));
    assert_eq!(world.object(&plan.artifact_uri("file")).await.as_deref(), Some("1\n2\n"));
    assert_eq!(world.object(&format!("{}/sub/part", plan.artifact_uri("tree"))).await.as_deref(), Some("part\n"));
    assert!(
        outputs.artifacts["tree"][0].content.as_ref().is_some_and(|content| content.directory && content.files == 1)
    );
    assert_eq!(world.object(&plan.artifact_uri("c")).await.as_deref(), Some("custom\n"));
    assert_eq!(outputs.artifacts["c"][0].metadata["k"], json!(1));
    assert_eq!(outputs.artifacts["none"][0].content, None);
    assert_eq!(world.object(&plan.log_uri()).await.as_deref(), Some("to the log\nretry 0\n"));
    assert_eq!(report.log_uri.as_deref(), Some(plan.log_uri().as_str()));

    let seen = &world.api.seen()[0];
    assert_eq!(seen.target, format!("PATCH /api/v1/namespaces/{NAMESPACE}/pods/{POD}?fieldManager=penstock-launcher"));
    assert_eq!(seen.content_type, "application/merge-patch+json");
    assert!(seen.accept.contains("PartialObjectMetadata"));
    assert_eq!(seen.patch["metadata"]["uid"], UID);
    assert_eq!(seen.authorization, format!("Bearer {TOKEN}"));
    // T-07
    let log = world.log();
    for secret in [TOKEN, ACCESS_KEY, SECRET_KEY] {
        assert!(!log.contains(secret), "a secret is in the log");
    }
}

#[tokio::test]
async fn t07_neither_keys_nor_their_ids_are_logged_however_much_is_asked_for() {
    let Some(server) = shared_server() else { return };
    let mut world = World::new(&server, []).await;
    world.log_level = "trace";
    let uri = format!("s3://{}/in/a", world.bucket);
    world.transfer.put_bytes(&uri, "input").await.expect("stored");
    let mut plan = world.plan("cat \"$0\"", &["{{$.inputs.artifacts['in'].path}}"]);
    plan.inputs.artifacts = serde_json::from_value(json!({ "in": artifact(&uri) })).expect("artifacts");
    let (report, code) = world.run(&plan).await;
    assert_eq!(code, Some(0), "{}", world.log());
    succeeded(&report);
    let log = world.log();
    assert!(log.contains("TRACE") && log.contains("penstock_launcher"), "{log}");
    for secret in [ACCESS_KEY, SECRET_KEY, TOKEN] {
        let shown: Vec<&str> = log.lines().filter(|line| line.contains(secret)).collect();
        assert!(shown.is_empty(), "{shown:#?}");
    }
}

#[tokio::test]
async fn inputs_are_fetched_before_the_container_is_there() {
    let Some(server) = shared_server() else { return };
    let world = World::new(&server, []).await;
    let input = format!("s3://{}/in/x", world.bucket);
    world.transfer.put_bytes(&input, "x").await.expect("stored");
    let mut plan = world.plan("test \"$(cat \"$0\")\" = x", &["{{$.inputs.artifacts['in'].path}}"]);
    plan.inputs.artifacts = serde_json::from_value(json!({ "in": artifact(&input) })).expect("artifacts");
    world.give(&plan);
    let sidecar = world.sidecar();
    until("the input is fetched", || world.path_of(&input).is_file()).await;
    let entry = world.entry(&argv_of(&plan));
    assert_eq!(entry.wait().await.code(), Some(0), "{}", world.log());
    world.stop(sidecar).await;
}

#[tokio::test]
async fn strings_that_kubernetes_expanded_are_what_is_resolved_and_values_are_not_read_again() {
    let Some(server) = shared_server() else { return };
    let world = World::new(&server, []).await;
    let mut plan = world
        .plan("printf '%s\\n' \"$@\"", &["sh", "$(WHO) {{$.inputs.parameters['text']}}", "{{$.pipeline_job_name}}"]);
    plan.inputs.parameters.insert("text".to_owned(), json!("{{$.pipeline_job_name}} $(WHO)"));
    world.give(&plan);
    let sidecar = world.sidecar();
    let argv: Vec<String> = argv_of(&plan).iter().map(|text| text.replacen("$(WHO)", "me", 1)).collect();
    assert_eq!(world.entry(&argv).wait().await.code(), Some(0));
    let log = world.object(&plan.log_uri()).await;
    assert_eq!(log.as_deref(), Some("me {{$.pipeline_job_name}} $(WHO)\nPipe\n"));
    world.stop(sidecar).await;
}

#[tokio::test]
async fn failures_have_their_causes_and_codes() {
    let Some(server) = shared_server() else { return };
    let metadata = "{{$.outputs.output_file}}";
    for (script, args, cause, code, text) in [
        (
            "echo last words; exit 3",
            vec![],
            FailureCause::User,
            3,
            "exited with code 3; the last line of its log: last words",
        ),
        ("kill -SEGV $$", vec![], FailureCause::User, 139, "killed by signal 11"),
        ("true", vec![], FailureCause::Output, 125, "failed to read output parameter name=\"p\""),
        (
            "printf '{\"parameterValues\": {\"p\": NaN}}' > $0",
            vec![metadata],
            FailureCause::Output,
            125,
            "NaN is not a JSON value",
        ),
        (
            "mkdir $0",
            vec!["{{$.outputs.parameters['p'].output_file}}"],
            FailureCause::Output,
            125,
            "not a regular file but a directory",
        ),
    ] {
        let world = World::new(&server, []).await;
        let mut plan = world.plan(script, &args);
        declare(&mut plan, &json!({ "p": "NUMBER_DOUBLE" }), &json!({}));
        let (report, exit_code) = world.run(&plan).await;
        let failure = failed(&report);
        assert_eq!(failure.cause, cause, "{failure:?}");
        assert!(failure.message.contains(text), "{failure:?}");
        assert_eq!(exit_code, Some(code), "{script}");
        assert_eq!(world.manifest(&plan).await, None);
        assert!(report.log_uri.is_some());
        if code == 125 {
            assert!(world.termination_message().contains(text), "{}", world.termination_message());
        }
    }
}

#[tokio::test]
async fn program_that_is_not_there_is_the_users_failure() {
    let Some(server) = shared_server() else { return };
    let world = World::new(&server, []).await;
    let mut plan = world.plan("", &[]);
    plan.command = vec!["no-such-program".to_owned()];
    let (report, code) = world.run(&plan).await;
    assert_eq!((failed(&report).cause, report.exit_code, code), (FailureCause::User, None, Some(127)));
}

#[tokio::test]
async fn f27_what_is_wrong_with_inputs_or_the_store_shows_before_user_code_runs() {
    let Some(server) = shared_server() else { return };
    let content = json!({ "directory": false, "files": 1, "size": 3, "digest": format!("sha256:{}", "0".repeat(64)) });
    for (key, bucket, cause, text) in [
        ("missing", None, FailureCause::Input, "nothing is stored under"),
        ("altered", None, FailureCause::Infrastructure, "expected"),
        ("", Some("no-such-bucket"), FailureCause::Refused, "NoSuchBucket"),
    ] {
        let world = World::new(&server, []).await;
        let mut plan = world.plan("touch \"$HERE/own/ran\"; cat \"$0\"", &["{{$.inputs.artifacts['in'].path}}"]);
        if !key.is_empty() {
            let uri = format!("s3://{}/in/{key}", world.bucket);
            if key == "altered" {
                world.transfer.put_bytes(&uri, "abc").await.expect("stored");
            }
            let mut inputs = json!({ "in": artifact(&uri) });
            inputs["in"][0]["content"] = content.clone();
            plan.inputs.artifacts = serde_json::from_value(inputs).expect("artifacts");
        }
        if let Some(bucket) = bucket {
            plan.task_root = plan.task_root.replace(&world.bucket, bucket);
        }
        let (report, code) = world.run(&plan).await;
        let failure = failed(&report);
        assert_eq!(failure.cause, cause, "{failure:?}");
        assert!(failure.message.contains(text), "{failure:?}");
        assert_eq!((code, report.exit_code), (Some(125), None));
        assert!(!world.at("own/ran").exists());
        assert!(world.termination_message().contains(text));
    }
}

#[tokio::test]
async fn settings_that_make_no_sense_are_reported() {
    let Some(server) = shared_server() else { return };
    let world = World::new(&server, []).await;
    std::fs::remove_file(world.at("pod/credentials/keys/s")).expect("it was there");
    let (report, code) = world.run(&world.plan("true", &[])).await;
    assert_eq!((failed(&report).cause, code), (FailureCause::Refused, Some(125)));
    assert!(failed(&report).message.contains("the Secret \"keys\" has no key \"s\""), "{report:?}");

    // Without a plan there is no attempt to report on; main still ends, with the reason.
    let world = World::new(&server, []).await;
    world.pod_file(keys::POD_PLAN_FILE, "{}");
    let sidecar = world.sidecar();
    let entry = world.entry(&["true".to_owned()]);
    assert_eq!(entry.wait().await.code(), Some(125));
    assert!(world.termination_message().contains("/plan is not acceptable"), "{}", world.termination_message());
    assert!(world.api.seen().is_empty());
    world.stop(sidecar).await;
}

#[tokio::test]
async fn large_plan_is_read_from_the_store() {
    let Some(server) = shared_server() else { return };
    for (digest_ok, expected) in [(true, Some(0)), (false, Some(125))] {
        let world = World::new(&server, []).await;
        let plan = world.plan("true", &[]);
        let text = serde_json::to_string(&plan).expect("a plan");
        let uri = format!("{}/plan.json", plan.task_root);
        world.transfer.put_bytes(&uri, text.clone()).await.expect("stored");
        let digest = if digest_ok { format_digest(&digest_of(text.as_bytes())) } else { "sha256:00".to_owned() };
        let reference = json!({ "uri": uri, "digest": digest, "size": text.len() });
        world.pod_file(keys::POD_PLAN_REF_FILE, &reference.to_string());
        let sidecar = world.sidecar();
        let entry = world.entry(&argv_of(&plan));
        assert_eq!(entry.wait().await.code(), expected, "{}", world.log());
        assert_eq!(world.api.reports().len(), usize::from(digest_ok));
        world.stop(sidecar).await;
    }
}

#[tokio::test]
async fn timeout_stops_the_process() {
    let Some(server) = shared_server() else { return };
    let world = World::new(&server, []).await;
    let mut plan = world.plan("echo begun; trap '' TERM; sleep 60 & wait; sleep 60", &[]);
    plan.timeout_seconds = Some(1);
    let started = Instant::now();
    let (report, code) = world.run(&plan).await;
    let failure = failed(&report);
    assert_eq!((failure.cause, code), (FailureCause::Timeout, Some(137)), "{failure:?}");
    assert!(failure.message.contains("timeout of 1 s"));
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(world.object(&plan.log_uri()).await.as_deref(), Some("begun\n"));
}

#[tokio::test]
async fn arguments_that_no_process_takes_are_refused() {
    let Some(server) = shared_server() else { return };
    let world = World::new(&server, []).await;
    let mut plan = world.plan("true", &["{{$.inputs.parameters['text']}}"]);
    plan.inputs.parameters.insert("text".to_owned(), json!("x".repeat(140_000)));
    let (report, code) = world.run(&plan).await;
    assert_eq!((failed(&report).cause, code), (FailureCause::Refused, Some(125)));
    assert!(failed(&report).message.contains("input \"text\""));
}
