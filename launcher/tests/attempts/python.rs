//! Python components, in warm interpreters and in processes of their own.

use std::time::{Duration, Instant};

use penstock_launcher::{cancel_pair, run_attempt};
use penstock_spec::plan::Plan;
use penstock_spec::report::FailureCause;
use serde_json::{Value, json};

use crate::world::{World, declare, failed, has_sdk, is_running, outputs, until};

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
