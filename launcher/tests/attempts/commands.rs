//! Commands as processes of this machine.

use std::path::Path;

use penstock_launcher::{adopt, cancel_pair, kill_recorded, run_attempt};
use penstock_spec::report::{FailureCause, Outcome, Report};
use penstock_spec::timings::Timings;
use serde_json::json;

use crate::world::{World, declare, failed, is_running, never, outputs, until};

#[tokio::test]
async fn command_runs_and_its_outputs_are_stored() {
    let world = World::new();
    let script = "echo hello; echo warn >&2; printf %s \"$0\" > \"$1\"; mkdir -p \"$2\"; echo data > \"$2/part\"";
    let mut plan = world.plan(&["sh", "-ec", script]);
    plan.args = vec![
        "{{$.inputs.parameters['n']}}".to_owned(),
        "{{$.outputs.parameters['sum'].output_file}}".to_owned(),
        "{{$.outputs.artifacts['model'].path}}".to_owned(),
    ];
    plan.inputs.parameters.insert("n".to_owned(), json!(3));
    declare(
        &mut plan,
        &json!({ "sum": "NUMBER_INTEGER" }),
        &json!({ "model": { "artifactType": { "schemaTitle": "system.Model" }, "metadata": { "a": 1 } } }),
    );
    let report = world.run(&plan).await;
    let outputs = outputs(&report);
    assert_eq!(outputs.parameters["sum"], json!(3));
    let model = &outputs.artifacts["model"][0];
    assert_eq!(model.uri, plan.artifact_uri("model"));
    assert_eq!(model.metadata["a"], json!(1));
    assert!(model.content.as_ref().is_some_and(|content| content.directory && content.files == 1));
    assert_eq!(std::fs::read_to_string(world.stored(&model.uri).join("part")).expect("it is stored"), "data\n");
    assert_eq!(world.log(), "hello\nwarn\n");
    assert!(report.ran_on_host);
    let log = report.log_uri.clone().expect("the log is stored");
    assert_eq!(std::fs::read_to_string(world.stored(&log)).expect("a log"), "hello\nwarn\n");

    // Adoption tells the same, but not when: nobody saw it.
    let adopted = Report { timings: None, ..report };
    assert_eq!(adopt(&plan, &world.host).await, Some(adopted));
    let mut other = plan.clone();
    other.task.attempt = 1;
    assert_eq!(adopt(&other, &world.host).await, None, "a manifest counts for its own attempt only");
}

/// The steps that an attempt on one machine has, those that it came to in the order in which it did.
fn steps(report: &Report) -> [bool; 5] {
    let timings = report.timings.as_deref().expect("times");
    let Timings { inputs_at, ready_at, started_at, ended_at, stored_at, .. } = timings.clone();
    let steps = [inputs_at, ready_at, started_at, ended_at, stored_at];
    assert!(steps.iter().flatten().is_sorted(), "{timings:?}");
    let of_a_pod = (timings.created_at, timings.scheduled_at, timings.launcher_at, timings.container_at);
    assert_eq!(of_a_pod, (None, None, None, None));
    steps.map(|step| step.is_some())
}

#[tokio::test]
async fn report_says_when_the_attempt_came_to_each_step() {
    let world = World::new();
    let report = world.run(&world.plan(&["sleep", "0.3"])).await;
    assert_eq!(steps(&report), [true; 5]);
    let timings = report.timings.expect("times");
    let ran =
        timings.ended_at.zip(timings.started_at).map(|(ended, started)| ended.duration_since(started).as_secs_f64());
    assert!(ran.is_some_and(|ran| (0.29..5.0).contains(&ran)), "{timings:?}");
    let report = world.run(&world.plan(&["sh", "-c", "exit 3"])).await;
    assert_eq!((report.exit_code, steps(&report)), (Some(3), [true; 5]), "its log is stored");
    let report = world.run(&world.plan(&["no-such-program-here"])).await;
    assert_eq!(steps(&report), [true, true, false, false, true]);
}

#[tokio::test]
async fn image_command_is_refused_without_permission() {
    let mut world = World::new();
    world.host.host_commands = false;
    let report = world.run(&world.plan(&["sh", "-c", "true"])).await;
    let failure = failed(&report);
    assert_eq!(failure.cause, FailureCause::Refused);
    assert!(failure.message.contains("example/image:1") && failure.message.contains("--host-commands"));
}

#[tokio::test]
async fn volume_of_a_cluster_is_refused_by_name() {
    let world = World::new();
    let mut plan = world.plan(&[]);
    plan.image = "argostub/createpvc".to_owned();
    let report = world.run(&plan).await;
    assert_eq!(failed(&report).cause, FailureCause::Refused);
    assert!(failed(&report).message.contains("argostub/createpvc"));
    assert!(failed(&report).message.contains("run the pipeline on a cluster"));
}

#[tokio::test]
async fn workspace_is_there_before_the_task_that_uses_it() {
    let world = World::new();
    let mut plan = world.plan(&["sh", "-c", "test -d \"$0\" && echo once >> \"$0/note\"", "{{$.workspace_path}}"]);
    let workspace = world.directory.path().join("shared/workspace");
    plan.run.workspace = workspace.to_str().map(str::to_owned);
    outputs(&world.run(&plan).await);
    outputs(&world.run(&plan).await);
    assert_eq!(std::fs::read_to_string(workspace.join("note")).expect("a note"), "once\nonce\n");
}

#[tokio::test]
async fn exit_code_signal_and_missing_program_are_told_apart() {
    let world = World::new();
    let report = world.run(&world.plan(&["sh", "-c", "echo; printf 'boom\\033[1m' >&2; exit 3"])).await;
    assert_eq!((report.exit_code, failed(&report).cause), (Some(3), FailureCause::User));
    assert_eq!(failed(&report).message, "the process exited with code 3; the last line of its log: boom\u{fffd}[1m");
    // The end of what kfp's executor prints of its input, and nothing that the user wrote.
    let report = world.run(&world.plan(&["sh", "-c", "printf '{\\n  \"inputs\": 1\\n}\\n\\n' >&2; exit 3"])).await;
    assert_eq!(failed(&report).message, "the process exited with code 3");
    assert!(report.log_uri.is_some() && report.manifest_digest.is_none());

    let report = world.run(&world.plan(&["sh", "-c", "kill -9 $$"])).await;
    assert_eq!(report.exit_code, Some(137));
    assert!(failed(&report).message.contains("was killed by SIGKILL"));

    let report = world.run(&world.plan(&["no-such-program-here"])).await;
    assert_eq!(failed(&report).cause, FailureCause::Refused);
    assert!(failed(&report).message.contains("no such program"));
    let report = world.run(&world.plan(&[])).await;
    assert_eq!(failed(&report).message, "command and arguments are empty");
}

#[tokio::test]
async fn t07_environment_is_curated_and_the_plan_s_comes_verbatim() {
    let world = World::new();
    let mut plan = world.plan(&["env"]);
    plan.env = serde_json::from_value(json!([
        { "name": "A", "value": "{{$.pipeline_job_name}} $HOME" },
        { "name": "A", "value": "last wins" },
    ]))
    .expect("variables");
    plan.retries = true;
    world.run(&plan).await;
    let log = world.log();
    let names: Vec<&str> = log.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    assert!(log.contains("\nA=last wins\n") || log.starts_with("A=last wins\n"), "{log}");
    assert!(names.contains(&"KFP_RETRY_INDEX") && names.contains(&"KFP_POD_UID"));
    assert!(log.contains("KFP_POD_NAME=pipe-x1-train"));
    assert!(!names.iter().any(|name| name.starts_with("CARGO")), "the tests' own environment leaks: {names:?}");
}

#[tokio::test]
async fn f37_cancel_stops_the_process_and_all_that_it_started() {
    let world = World::new();
    let script = "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ > ../child; while :; do sleep 0.1; done' & \
                  echo ready; while :; do sleep 0.1; done";
    let plan = world.plan(&["sh", "-c", script]);
    let (handle, token) = cancel_pair();
    let child_file = world.host.work_dir.join("child");
    let run = run_attempt(&plan, &world.host, token);
    let stop = async {
        until("the child runs", || std::fs::read_to_string(&child_file).is_ok_and(|text| text.ends_with('\n'))).await;
        handle.cancel();
    };
    let (report, ()) = tokio::join!(run, stop);
    assert_eq!(failed(&report).cause, FailureCause::Canceled);
    let child: u32 = std::fs::read_to_string(&child_file).expect("a number").trim().parse().expect("a number");
    assert!(!is_running(child), "the child in its own session is killed too");
    assert!(report.log_uri.is_some(), "the log is kept");
    assert_eq!(adopt(&plan, &world.host).await, None, "there is no manifest");
}

#[tokio::test]
async fn timeout_ends_the_attempt_with_its_reason() {
    let world = World::new();
    let mut plan = world.plan(&["sleep", "60"]);
    plan.timeout_seconds = Some(1);
    let report = world.run(&plan).await;
    assert_eq!(failed(&report).cause, FailureCause::Timeout);
    assert_eq!(failed(&report).message, "the attempt took longer than its timeout of 1 s");
}

#[tokio::test]
async fn leftovers_are_killed_before_outputs_are_read() {
    let world = World::new();
    // It is renamed, because one that is killed between the two steps of writing leaves an empty file.
    let script = "sh -c 'while :; do echo $$ > \"$0.new\"; mv \"$0.new\" \"$0\"; done' \"$0\" & \
                  while ! [ -s \"$0\" ]; do sleep 0.01; done";
    let mut plan = world.plan(&["sh", "-c", script]);
    plan.args = vec!["{{$.outputs.parameters['p'].output_file}}".to_owned()];
    declare(&mut plan, &json!({ "p": "STRING" }), &json!({}));
    let report = world.run(&plan).await;
    if let Outcome::Succeeded(outputs) = &report.outcome {
        let pid: u32 = outputs.parameters["p"].as_str().and_then(|text| text.trim().parse().ok()).expect("a number");
        assert!(!is_running(pid));
    } else {
        panic!("{report:?}");
    }
}

#[tokio::test]
async fn recorded_process_is_killed_by_whoever_comes_later() {
    let world = World::new();
    let plan = world.plan(&["sh", "-c", "sleep 60 & echo $! > ../child; sleep 60"]);
    let child_file = world.host.work_dir.join("child");
    {
        let run = run_attempt(&plan, &world.host, never());
        tokio::pin!(run);
        tokio::select! {
            report = &mut run => panic!("ended early: {report:?}"),
            () = until("it runs", || std::fs::read_to_string(&child_file).is_ok_and(|text| text.ends_with('\n'))) => {}
        }
        // Dropped here, as if Penstock had been killed.
    }
    let child: u32 = std::fs::read_to_string(&child_file).expect("a number").trim().parse().expect("a number");
    assert!(is_running(child));
    let work_dir = world.host.work_dir.clone();
    let killed = tokio::task::spawn_blocking(move || kill_recorded(&work_dir)).await.expect("no panic");
    assert!(killed.expect("a record") >= 2);
    assert!(!is_running(child));
    assert_eq!(kill_recorded(&world.host.work_dir).expect("a record"), 0);
    assert_eq!(kill_recorded(Path::new("/nowhere")).expect("no record"), 0);
}

#[tokio::test]
async fn i16_output_that_is_a_link_or_a_pipe_is_refused() {
    for script in ["mkfifo \"$0\"", "ln -s /etc/passwd \"$0\"", "mkdir \"$0\"; ln -s /etc \"$0/etc\""] {
        let world = World::new();
        let mut plan = world.plan(&["sh", "-ec", script]);
        plan.args = vec!["{{$.outputs.artifacts['a'].path}}".to_owned()];
        declare(&mut plan, &json!({}), &json!({ "a": {} }));
        let report = world.run(&plan).await;
        assert_eq!(failed(&report).cause, FailureCause::Output, "{script}: {report:?}");
        assert!(failed(&report).message.contains("outputs/a"), "{}", failed(&report).message);
    }
}

#[tokio::test]
async fn i32_log_of_any_bytes_is_kept_as_it_is() {
    let world = World::new();
    let report =
        world.run(&world.plan(&["sh", "-c", "head -c 3000000 /dev/zero; printf '\\377\\033[2J'; exit 1"])).await;
    let message = &failed(&report).message;
    assert!(message.len() < 2000 && !message.contains('\0') && !message.contains('\u{1b}'));
    let stored = std::fs::metadata(world.stored(report.log_uri.as_deref().expect("a log"))).expect("it is stored");
    assert_eq!(stored.len(), 3_000_005);
}

#[tokio::test]
async fn i11_value_above_the_limit_of_one_argument_is_refused_by_name() {
    let world = World::new();
    let mut plan = world.plan(&["echo", "{{$.inputs.parameters['big']}}"]);
    plan.inputs.parameters.insert("big".to_owned(), json!("x".repeat(131_072)));
    let report = world.run(&plan).await;
    assert_eq!(failed(&report).cause, FailureCause::Refused);
    assert!(failed(&report).message.contains("input \"big\""), "{}", failed(&report).message);
    plan.inputs.parameters.insert("big".to_owned(), json!("x".repeat(131_071)));
    outputs(&world.run(&plan).await);
}

#[tokio::test]
async fn artifact_goes_from_producer_to_consumer() {
    let world = World::new();
    let mut producer = world.plan(&["sh", "-c", "echo rows > \"$0\""]);
    producer.args = vec!["{{$.outputs.artifacts['data'].path}}".to_owned()];
    declare(&mut producer, &json!({}), &json!({ "data": {} }));
    let made = world.run(&producer).await;
    let artifact = outputs(&made).artifacts["data"][0].clone();

    let mut consumer = world.plan(&["cat", "{{$.inputs.artifacts['data'].path}}"]);
    consumer.inputs.artifacts.insert("data".to_owned(), vec![artifact.clone()]);
    std::fs::remove_file(&world.host.log_file).expect("a log");
    outputs(&world.run(&consumer).await);
    assert_eq!(world.log(), "rows\n");

    // By URI alone nothing is fetched; by path, what is missing is an error of the input.
    std::fs::remove_file(world.stored(&artifact.uri)).expect("it was stored");
    let mut by_uri = world.plan(&["echo", "{{$.inputs.artifacts['data'].uri}}"]);
    by_uri.inputs = consumer.inputs.clone();
    outputs(&world.run(&by_uri).await);
    assert_eq!(failed(&world.run(&consumer).await).cause, FailureCause::Input);
}
