//! Whole attempts with real processes, real Python and a local store.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use penstock_launcher::{
    CancelToken, HostContext, PythonHost, PythonSettings, adopt, cancel_pair, kill_recorded, run_attempt,
};
use penstock_objectstore::{LocalAccess, StoreSettings, Stores, Transfer, TransferSettings};
use penstock_spec::plan::Plan;
use penstock_spec::report::{Failure, FailureCause, Outcome, Report, TaskOutputs};
use serde_json::{Value, json};

struct World {
    directory: tempfile::TempDir,
    host: HostContext,
}

impl World {
    fn new() -> World {
        let python = std::env::var_os("PENSTOCK_TEST_PYTHON").map(PathBuf::from);
        let directory = tempfile::tempdir().expect("a directory");
        let envs = directory.path().join("envs");
        let mut settings = PythonSettings::new(python, envs);
        settings.exact_sdk = false;
        World::with(directory, settings)
    }

    fn with(directory: tempfile::TempDir, python: PythonSettings) -> World {
        let local = LocalAccess::Beneath(vec![directory.path().to_owned()]);
        let stores = Stores::new(StoreSettings { local, ..StoreSettings::default() }).expect("a registry");
        let host = HostContext {
            work_dir: directory.path().join("work"),
            log_file: directory.path().join("log"),
            transfer: Arc::new(Transfer::new(Arc::new(stores), TransferSettings::default())),
            python: Arc::new(PythonHost::new(python)),
            component_dir: None,
            host_commands: true,
            grace: Duration::from_millis(300),
        };
        World { directory, host }
    }

    fn plan(&self, command: &[&str]) -> Plan {
        let root = format!("file://{}/store", self.directory.path().display());
        let run = "11111111-1111-4111-8111-111111111111";
        let plan = json!({
            "version": 1,
            "run": {
                "id": run, "name": "pipe-x1", "displayName": "Pipe", "pipelineName": "pipe", "pipelineRoot": root,
                "createdAt": "2026-01-02T03:04:05Z", "scheduledAt": "2026-01-02T03:04:05Z", "caching": true,
            },
            "task": {
                "id": uuid::Uuid::new_v4(), "key": "train", "displayName": "train", "path": "train", "attempt": 0,
            },
            "image": "example/image:1",
            "command": command,
            "args": [],
            "env": [],
            "inputs": {},
            "taskRoot": format!("{root}/pipe/{run}/train/{}", uuid::Uuid::new_v4()),
        });
        serde_json::from_value(plan).expect("a plan")
    }

    async fn run(&self, plan: &Plan) -> Report {
        run_attempt(plan, &self.host, never()).await
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.host.log_file).unwrap_or_default()
    }

    fn stored(&self, uri: &str) -> PathBuf {
        PathBuf::from(uri.strip_prefix("file://").expect("a file URI"))
    }
}

fn never() -> CancelToken {
    cancel_pair().1
}

fn outputs(report: &Report) -> &TaskOutputs {
    match &report.outcome {
        Outcome::Succeeded(outputs) => outputs,
        Outcome::Failed(failure) => panic!("the attempt failed: {failure:?}"),
    }
}

fn failed(report: &Report) -> &Failure {
    match &report.outcome {
        Outcome::Failed(failure) => failure,
        Outcome::Succeeded(outputs) => panic!("the attempt succeeded: {outputs:?}"),
    }
}

fn declare(plan: &mut Plan, parameters: &Value, artifacts: &Value) {
    plan.output_parameters = serde_json::from_value(parameters.clone()).expect("parameters");
    plan.output_artifacts = serde_json::from_value(artifacts.clone()).expect("artifacts");
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(20), "waited too long: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// A lightweight component as the SDK compiles it.
fn python(world: &World, source: &str, function: &str) -> Plan {
    const SCRIPT: &str = "program_path=$(mktemp -d)\n\nprintf \"%s\" \"$0\" > \"$program_path/ephemeral_component.py\"\n\
        _KFP_RUNTIME=true python3 -m kfp.dsl.executor_main --component_module_path \
        \"$program_path/ephemeral_component.py\" \"$@\"\n";
    let source =
        format!("\nimport kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n\n{source}\n");
    let mut plan = world.plan(&["sh", "-ec", SCRIPT, &source]);
    plan.args = ["--executor_input", "{{$}}", "--function_to_execute", function].map(str::to_owned).to_vec();
    plan.image = "python:3.11".to_owned();
    plan
}

/// Says that this test is skipped, past the capture of its output.
fn skip(why: &str) {
    // If standard error is gone, nobody is there to be told.
    let thread = std::thread::current();
    let _ = writeln!(std::io::stderr(), "SKIPPED {}: {why}", thread.name().unwrap_or_default());
}

/// Whether the Python of the tests has the SDK. In CI it must.
fn has_sdk() -> bool {
    let python = std::env::var("PENSTOCK_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = std::process::Command::new(&python).args(["-c", "import kfp"]).output();
    let has = found.is_ok_and(|output| output.status.success());
    assert!(has || std::env::var_os("CI").is_none(), "{python} has no kfp: set PENSTOCK_TEST_PYTHON");
    if !has {
        skip(&format!("{python} has no kfp; set PENSTOCK_TEST_PYTHON to one that has"));
    }
    has
}

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

    // Adoption tells the same.
    assert_eq!(adopt(&plan, &world.host).await, Some(report));
    let mut other = plan.clone();
    other.task.attempt = 1;
    assert_eq!(adopt(&other, &world.host).await, None, "a manifest counts for its own attempt only");
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
    let script = "sh -c 'while :; do echo $$ > \"$0\"; sleep 0.01; done' \"$0\" & \
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

const ADD: &str = "def add(a: int, b: int, out: Output[Dataset]) -> int:\n    import os\n    print('adding', flush=True)\n\
    \x20   open(out.path, 'w').write('x')\n    out.metadata['rows'] = 7\n    return a + b\n";

fn add(world: &World) -> Plan {
    let mut plan = python(world, ADD, "add");
    plan.inputs.parameters.insert("a".to_owned(), json!(2));
    plan.defaults.insert("b".to_owned(), json!(3));
    declare(
        &mut plan,
        &json!({ "Output": "NUMBER_INTEGER" }),
        &json!({ "out": { "artifactType": { "schemaTitle": "system.Dataset" } } }),
    );
    plan
}

#[tokio::test]
async fn lightweight_component_runs_warm_and_cold_alike() {
    if !has_sdk() {
        return;
    }
    let world = World::new();
    let warm = add(&world);
    let mut cold = add(&world);
    cold.env = serde_json::from_value(json!([{ "name": "PYTHONUNBUFFERED", "value": "1" }])).expect("a variable");
    for plan in [&warm, &cold] {
        let report = world.run(plan).await;
        let outputs = outputs(&report);
        assert_eq!(outputs.parameters["Output"], json!(5));
        let data = &outputs.artifacts["out"][0];
        assert_eq!((data.uri.clone(), &data.metadata["rows"]), (plan.artifact_uri("out"), &json!(7)));
        assert_eq!(data.content.as_ref().map(|content| content.size), Some(1));
        assert!(!report.ran_on_host);
    }
    assert_eq!(world.log().matches("adding").count(), 2);
}

#[tokio::test]
async fn warm_task_cannot_change_the_next_one() {
    if !has_sdk() {
        return;
    }
    let world = World::new();
    let bad = "def f() -> str:\n    import os, sys, json, builtins, kfp\n    os.environ['LEAK'] = '1'\n    \
               os.chdir('/')\n    os.umask(0o777)\n    builtins.len = None\n    kfp.LEAK = 1\n    sys.path.append('/leak')\n    \
               return 'x'\n";
    let probe = "def f() -> str:\n    import os, sys, kfp\n    return str([os.environ.get('LEAK'), len('abc'), \
                 hasattr(kfp, 'LEAK'), '/leak' in sys.path, os.getcwd().endswith('scratch'), sys.argv[0].endswith('executor_main.py'), \
                 __import__('__main__').__spec__.name, os.getsid(0) == os.getpid(), [os.readlink('/proc/self/fd/' + n) for n in os.listdir('/proc/self/fd') if int(n) > 2 and os.path.exists('/proc/self/fd/' + n)]])\n";
    for (source, check) in [(bad, false), (probe, true)] {
        let mut plan = python(&world, source, "f");
        declare(&mut plan, &json!({ "Output": "STRING" }), &json!({}));
        let report = world.run(&plan).await;
        if check {
            assert_eq!(
                outputs(&report).parameters["Output"],
                json!("[None, 3, False, False, True, True, 'kfp.dsl.executor_main', True, []]")
            );
        }
    }
}

#[tokio::test]
async fn warm_task_may_start_processes_and_threads_of_every_kind() {
    if !has_sdk() {
        return;
    }
    let world = World::new();
    let source = "def f() -> list:\n    import multiprocessing, os, subprocess, sys, threading, time\n    \
                  from concurrent.futures import ProcessPoolExecutor\n    found = []\n    \
                  for method in ('fork', 'spawn', 'forkserver'):\n        \
                  with multiprocessing.get_context(method).Pool(1) as pool:\n            found += pool.map(abs, [-1])\n    \
                  with ProcessPoolExecutor(1) as executor:\n        found += executor.map(abs, [-2])\n    \
                  code = 'print(3)'\n    \
                  found.append(int(subprocess.run([sys.executable, '-c', code], stdout=subprocess.PIPE).stdout))\n    \
                  child = os.fork()\n    if child == 0:\n        os._exit(4)\n    \
                  found.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n    \
                  threading.Thread(target=lambda: (time.sleep(0.2), print('thread ended'))).start()\n    \
                  return found\n";
    let mut plan = python(&world, source, "f");
    declare(&mut plan, &json!({ "Output": "LIST" }), &json!({}));
    let report = world.run(&plan).await;
    assert_eq!(outputs(&report).parameters["Output"], json!([1, 1, 1, 2, 3, 4]), "{}", world.log());
    assert!(world.log().contains("thread ended"), "a thread that is no daemon is waited for: {}", world.log());
}

#[tokio::test]
async fn python_exits_exceptions_and_exit_handlers_are_those_of_a_process() {
    if !has_sdk() {
        return;
    }
    let world = World::new();
    for (body, code) in [
        ("raise ValueError('boom')", 1),
        ("import sys; sys.exit(7)", 7),
        ("import os; os._exit(9)", 9),
        ("import os; os.abort()", 134),
    ] {
        let source = format!("def f():\n    import atexit\n    atexit.register(print, 'at exit')\n    {body}\n");
        let report = world.run(&python(&world, &source, "f")).await;
        assert_eq!(report.exit_code, Some(code), "{body}: {}", world.log());
    }
    assert_eq!(world.log().matches("at exit").count(), 2, "{}", world.log());
    assert!(world.log().contains("ValueError: boom"));
}

#[tokio::test]
async fn executor_input_of_any_size_reaches_a_python_component() {
    if !has_sdk() {
        return;
    }
    let world = World::new();
    for env in [json!([]), json!([{ "name": "PYTHONUNBUFFERED", "value": "1" }])] {
        let mut plan = python(&world, "def f(big: str) -> int:\n    return len(big)\n", "f");
        plan.env = serde_json::from_value(env).expect("variables");
        plan.inputs.parameters.insert("big".to_owned(), json!("é\u{0}'\"{{$}}".repeat(300_000)));
        declare(&mut plan, &json!({ "Output": "NUMBER_INTEGER" }), &json!({}));
        assert_eq!(outputs(&world.run(&plan).await).parameters["Output"], json!(9 * 300_000));
    }
}

#[tokio::test]
async fn task_uri_custom_path_foreign_uri_and_other_paths_follow_their_rules() {
    if !has_sdk() {
        return;
    }
    let world = World::new();
    let elsewhere = world.directory.path().join("elsewhere.txt");
    let returns = "def f() -> Dataset:\n    d = Dataset(uri=dsl.get_uri('sub'), metadata={'k': True})\n    \
                   open(d.path, 'w').write('abc')\n    return d\n";
    let custom = format!(
        "def f(Output: Output[Dataset]):\n    open({0:?}, 'w').write('abcd')\n    Output.set_path({0:?})\n",
        elsewhere.to_str().expect("UTF-8")
    );
    let foreign = "def f(Output: Output[Dataset]):\n    Output.uri = 'https://host/x'\n";
    let outside = "def f(Output: Output[Dataset]):\n    Output.path = '/etc/hostname'\n";
    let mut results = Vec::new();
    for source in [returns, &custom, foreign, outside] {
        let mut plan = python(&world, source, "f");
        declare(&mut plan, &json!({}), &json!({ "Output": { "artifactType": { "schemaTitle": "system.Dataset" } } }));
        results.push((plan.clone(), world.run(&plan).await));
    }
    let artifact = |index: usize| &outputs(&results[index].1).artifacts["Output"][0];
    let size = |index: usize| artifact(index).content.as_ref().map(|content| content.size);
    assert_eq!((artifact(0).uri.clone(), size(0)), (results[0].0.artifact_uri("sub"), Some(3)));
    assert_eq!((artifact(1).uri.clone(), size(1)), (results[1].0.artifact_uri("Output"), Some(4)));
    assert_eq!((artifact(2).uri.as_str(), size(2)), ("https://host/x", None));
    assert_eq!(failed(&results[3].1).cause, FailureCause::Output, "{:?}", results[3].1);
    assert!(failed(&results[3].1).message.contains("/etc/hostname"));
}

#[tokio::test]
async fn none_is_null_for_an_optional_return_and_an_error_otherwise() {
    if !has_sdk() {
        return;
    }
    let world = World::new();
    for (annotation, is_null) in [("Optional[str]", true), ("str", false)] {
        let mut plan = python(&world, &format!("def f() -> {annotation}:\n    return None\n"), "f");
        declare(&mut plan, &json!({ "Output": "STRING" }), &json!({}));
        let report = world.run(&plan).await;
        match is_null {
            true => assert_eq!(outputs(&report).parameters["Output"], Value::Null),
            false => assert!(failed(&report).message.starts_with("failed to read output parameter name=\"Output\"")),
        }
    }
}

#[tokio::test]
async fn canceled_python_task_leaves_nothing_and_the_interpreter_goes_on() {
    if !has_sdk() {
        return;
    }
    let world = World::new();
    let source = "def f():\n    import os, time\n    if os.fork() == 0:\n        os.setsid()\n        \
                  if os.fork() == 0:\n            os.setsid()\n            open('../child', 'w').write(str(os.getpid()) + '\\n')\n        \
                  time.sleep(60)\n    time.sleep(60)\n";
    let plan = python(&world, source, "f");
    let (handle, token) = cancel_pair();
    let child_file = world.host.work_dir.join("child");
    let stop = async {
        until("the child runs", || std::fs::read_to_string(&child_file).is_ok_and(|text| text.ends_with('\n'))).await;
        handle.cancel();
    };
    let (report, ()) = tokio::join!(run_attempt(&plan, &world.host, token), stop);
    assert_eq!(failed(&report).cause, FailureCause::Canceled);
    let child: u32 = std::fs::read_to_string(&child_file).expect("a number").trim().parse().expect("a number");
    assert!(!is_running(child), "a fork in a session of its own is found by its marker");
    assert_eq!(outputs(&world.run(&add(&world)).await).parameters["Output"], json!(5));
}

#[tokio::test]
async fn containerized_component_needs_its_configuration() {
    if !has_sdk() {
        return;
    }
    let mut world = World::new();
    let mut plan = world.plan(&["python3", "-m", "kfp.dsl.executor_main"]);
    plan.args = ["--executor_input", "{{$}}", "--function_to_execute", "f"].map(str::to_owned).to_vec();
    declare(&mut plan, &json!({ "Output": "STRING" }), &json!({}));
    assert_eq!(failed(&world.run(&plan).await).cause, FailureCause::Refused);

    let directory = world.directory.path().join("pipeline");
    std::fs::create_dir(&directory).expect("a directory");
    std::fs::write(directory.join("kfp_config.ini"), "[Components]\nf = comp.py\n").expect("a file");
    std::fs::write(directory.join("comp.py"), "def f() -> str:\n    return 'from the image'\n").expect("a file");
    world.host.component_dir = Some(directory);
    assert_eq!(outputs(&world.run(&plan).await).parameters["Output"], json!("from the image"));
}

/// Writes a package that consists of one function.
fn write_wheel(directory: &Path) {
    const PROGRAM: &str = "import sys, zipfile\nw = zipfile.ZipFile(sys.argv[1] + '/tiny_thing-1.0-py3-none-any.whl', 'w')\n\
        i = 'tiny_thing-1.0.dist-info/'\n\
        w.writestr('tiny_thing.py', 'def answer(): return 42')\n\
        w.writestr(i + 'METADATA', 'Metadata-Version: 2.1\\nName: tiny-thing\\nVersion: 1.0\\n')\n\
        w.writestr(i + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
        w.writestr(i + 'RECORD', '')\nw.close()\n";
    let status = std::process::Command::new("python3").args(["-c", PROGRAM]).arg(directory).status();
    assert!(status.is_ok_and(|status| status.success()));
}

/// A component that installs that package and prints what it gives.
fn installing(world: &World, requirement: &str) -> Plan {
    let wheels = world.directory.path().display();
    let install = format!(
        "PIP_X=1 python3 -m pip install --quiet --no-index --find-links '{wheels}' '{requirement}' && \"$0\" \"$@\""
    );
    let mut plan =
        world.plan(&["sh", "-c", &install, "python3", "-u", "-c", "import tiny_thing; print(tiny_thing.answer())"]);
    plan.image = "python:3.11".to_owned();
    plan
}

/// Two hosts with one directory stand for two processes.
async fn packages_are_installed_once(uv: Option<PathBuf>, installed: &str) {
    let python = std::env::var_os("PENSTOCK_TEST_PYTHON").map(PathBuf::from);
    let directory = tempfile::tempdir().expect("a directory");
    let envs = directory.path().join("envs");
    let settings = PythonSettings { uv, ..PythonSettings::new(python, envs.clone()) };
    let first = World::with(directory, settings.clone());
    write_wheel(first.directory.path());
    let plan = installing(&first, "tiny-thing==1.0");
    let mut second = first.host.clone();
    second.python = Arc::new(PythonHost::new(settings));
    second.work_dir = first.directory.path().join("work-2");
    second.log_file = first.directory.path().join("log-2");
    // Another task: the end of an attempt kills whatever carries its marker.
    let other = installing(&first, "tiny-thing==1.0");
    let (one, two) = tokio::join!(first.run(&plan), run_attempt(&other, &second, never()));
    outputs(&one);
    outputs(&two);
    assert_eq!(first.log(), "42\n");
    // What is there is used, also where it could not be had any more.
    std::fs::remove_file(first.directory.path().join("tiny_thing-1.0-py3-none-any.whl")).expect("a wheel");
    outputs(&first.run(&plan).await);
    let logs = std::fs::read_dir(&envs).expect("a directory").flatten().map(|entry| entry.path());
    let logs: Vec<PathBuf> = logs.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    let [log] = logs.as_slice() else { panic!("one environment: {logs:?}") };
    let text = std::fs::read_to_string(log).expect("a log");
    assert_eq!(text.matches(installed).count(), 1, "{text}");
}

#[tokio::test]
async fn packages_are_installed_once_by_pip_and_then_only_used() {
    packages_are_installed_once(None, "Successfully installed tiny").await;
}

#[tokio::test]
async fn packages_are_installed_once_by_uv_and_then_only_used() {
    // The interpreter that `make test` names has uv beside it.
    let Some(python) = std::env::var_os("PENSTOCK_TEST_PYTHON").map(PathBuf::from) else { return };
    packages_are_installed_once(Some(python.with_file_name("uv")), "+ tiny-thing==1.0").await;
}

#[tokio::test]
async fn packages_that_cannot_be_installed_fail_the_task_with_the_log() {
    let world = World::new();
    let report = world.run(&installing(&world, "no-such-thing==9")).await;
    let failure = failed(&report);
    assert_eq!(failure.cause, FailureCause::User);
    assert!(failure.message.contains("installing no-such-thing==9 failed"), "{}", failure.message);
    assert!(failure.message.contains("the full output is in"), "{}", failure.message);
}

/// Prints what a lightweight component costs; `cargo test -p penstock-launcher cheap -- --nocapture` shows it.
#[tokio::test]
async fn lightweight_component_is_cheap() {
    if !has_sdk() {
        return;
    }
    let world = World::new();
    let mut times = Vec::new();
    for _ in 0..30 {
        let plan = add(&world);
        let started = Instant::now();
        outputs(&world.run(&plan).await);
        times.push(started.elapsed());
    }
    let first = times.remove(0);
    times.sort();
    let median = times[times.len() / 2];
    println!("lightweight component: first {first:?}, then median {median:?}, worst {:?}", times[times.len() - 1]);
    assert!(median < Duration::from_secs(2), "a warm start costs as much as a cold one: {median:?}");
}
