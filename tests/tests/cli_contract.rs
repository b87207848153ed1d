//! What scripts rely on: exit codes, exactly one document with `-o json`, no escape codes without a terminal, and
//! commands from another process while a run is under way.

use std::fs;
use std::time::Duration;

use penstock_tests::binary;
use penstock_tests::deadline::{wait_for, wait_until};
use penstock_tests::document::RunDocument;
use penstock_tests::invocation::Background;
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::process;
use penstock_tests::python;
use penstock_tests::sandbox::Sandbox;
use penstock_tests::timed_log::without_times;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

/// Prints, says that it has started, and waits for the file `go`.
const WAIT_FOR_GO: &str = r#"echo before; touch "$1/started"; while [ ! -e "$1/go" ]; do sleep 0.05; done; echo after"#;

fn waiting_pipeline(sandbox: &Sandbox) -> Value {
    let folder = sandbox.folder().to_string_lossy().into_owned();
    let tasks = [Task::new("wait", WAIT_FOR_GO).arg(&folder), Task::new("last", "echo last").after("wait")];
    Pipeline::new("waiting", tasks).build()
}

/// Starts a run and returns once its first task is at work.
fn start_waiting(sandbox: &Sandbox) -> Background {
    let run = sandbox.run_commands(&waiting_pipeline(sandbox)).limit(Duration::from_secs(120)).spawn();
    wait_until("the first task", SOON, || sandbox.has("started"));
    run
}

fn json_of(sandbox: &Sandbox, args: &[&str]) -> Value {
    let finished = sandbox.penstock().args(args).run().expect_code(0);
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("not one document ({error}): {finished}"))
}

#[test]
fn wrong_usage_ends_with_two() {
    let sandbox = Sandbox::new();
    for args in [
        vec!["run"],
        vec!["run", "a.yaml", "--no-such-flag"],
        vec!["no-such-command"],
        vec!["run", "a.yaml", "--resume", "latest"],
        vec!["run", "a.yaml", "--concurrency", "0"],
        vec!["list", "-n", "0"],
        vec!["get", "no-such-run"],
        vec!["get"],
        vec!["logs", "no-such-run"],
        vec!["watch", "no-such-run"],
        vec!["stop", "no-such-run"],
        vec!["retry", "no-such-run"],
        vec!["run", "--resume", "no-such-run"],
        vec!["cp", "no-such-run/a/b", "x"],
        vec!["cache", "why", "no-such-run", "a"],
        vec!["cache", "evict"],
        vec!["list", "--page-token", "forged"],
    ] {
        let finished = sandbox.penstock().args(&args).run();
        // A forged token matters only where there is a list.
        if args.contains(&"forged") {
            assert!(matches!(finished.code(), Some(0 | 2)), "{finished}");
            continue;
        }
        let finished = finished.expect_code(2).expect_complaint("error: ");
        assert_eq!(finished.stdout, "", "{finished}");
    }
}

#[test]
fn service_account_of_a_run_is_shown_as_it_was_given() {
    let sandbox = Sandbox::new();
    let pipeline = Pipeline::new("p", [Task::new("a", "true")]).build();
    for (args, expected) in [(&[][..], "pipeline-runner"), (&["--service-account", "editor"], "editor")] {
        sandbox.run_commands(&pipeline).args(args).run().expect_code(0);
        assert_eq!(json_of(&sandbox, &["get", "-o", "json"])["service_account"], expected);
    }
}

#[test]
fn i31_settings_that_make_no_sense_are_refused_by_name() {
    let sandbox = Sandbox::new();
    let file = sandbox.write_pipeline("pipeline.json", &Pipeline::new("p", [Task::new("a", "true")]).build());
    for (variable, value, name) in [
        ("PENSTOCK_CONCURRENCY", "-1", "concurrency"),
        ("PENSTOCK_GRACE", "soon", "grace"),
        ("PENSTOCK_LOG", "loud[", "log-level"),
        ("PENSTOCK_S3_PATH_STYLE", "perhaps", "s3-path-style"),
        ("PENSTOCK_ROOT", "gopher://x/y", "gopher"),
        ("PENSTOCK_ROOT", "s3://", "s3://"),
    ] {
        let finished = sandbox.penstock().args(["run", "--host-commands"]).arg(&file).env(variable, value).run();
        assert!(matches!(finished.code(), Some(1 | 2)), "{variable}={value}: {finished}");
        finished.expect_complaint(name);
    }
    let blocked = sandbox.write("blocked", "a file");
    let finished = sandbox.penstock().arg("--data-dir").arg(&blocked).args(["run", "--host-commands"]).arg(&file).run();
    assert!(matches!(finished.code(), Some(1 | 2)), "{finished}");
    finished.expect_complaint("--data-dir");
}

#[test]
fn every_shell_gets_a_script_that_knows_the_commands() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = sandbox.penstock().args(["completion", shell]).run().expect_code(0).stdout;
        for word in ["run", "retry", "evict", "host-commands"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn exit_code_and_document_tell_the_result() {
    let sandbox = Sandbox::new();
    let good = Pipeline::new("good", [Task::new("a", "true")]).build();
    let run = sandbox.run_commands(&good).run().expect_code(0).document();
    assert_eq!((run.state.as_str(), run.error), ("SUCCEEDED", None));
    let bad = Pipeline::new("bad", [Task::new("a", "exit 7"), Task::new("b", "true").after("a")]).build();
    let run = sandbox.run_commands(&bad).run().expect_code(1).document();
    assert_eq!(run.state, "FAILED");
    assert!(run.failure_of("a").contains('7'), "{:?}", run.failure_of("a"));
    assert_eq!(run.task("b").attempt, None);
    assert!(run.error.is_some_and(|error| error.contains('a')));
}

/// What `get` says of tasks that failed, in its order: paths, and lines of a log behind `│`.
fn failures_shown(sandbox: &Sandbox) -> (Vec<String>, String) {
    let shown = sandbox.penstock().arg("get").run().expect_code(0).stdout;
    let relevant = |line: &&str| line.starts_with("✗ ") || line.contains('│');
    let lines = shown.lines().filter(relevant);
    let lines = lines.map(|line| match line.split_once("  ") {
        Some((path, _)) if line.starts_with('✗') => path.to_owned(),
        _ => line.trim().to_owned(),
    });
    (lines.collect(), shown)
}

#[test]
fn task_that_broke_first_is_shown_before_those_that_failed_because_of_it() {
    let sandbox = Sandbox::new();
    let missing = json!({"taskOutputParameter": {"producerTask": "train", "outputParameterKey": "loss"}});
    let tasks = [
        Task::new("train", "echo the loss is no number; exit 7").output("loss", "STRING"),
        // Fails in the moment in which the other does, for want of what that would have made, and comes first by name.
        Task::new("report", r#"echo "$1""#)
            .arg("{{$.inputs.parameters['loss']}}")
            .input_from("loss", "STRING", missing)
            .after("train")
            .always(),
        // Fails by itself, later.
        Task::new("clean-up", "echo nothing to clean up; exit 1").after("train").always(),
    ];
    let run = sandbox.run_commands(&Pipeline::new("broken", tasks).build()).run().expect_code(1).document();
    assert_eq!(run.task("report").attempt, None, "{run:?}");
    let (lines, shown) = failures_shown(&sandbox);
    assert_eq!(lines, ["✗ train", "│ the loss is no number", "✗ report", "✗ clean-up"], "{shown}");
    assert!(shown.lines().any(|line| line.starts_with("the whole log") && line.ends_with(" train")), "{shown}");
}

#[test]
fn failed_task_without_a_log_does_not_hide_the_log_of_another() {
    let sandbox = Sandbox::new();
    let tasks =
        [Task::new("early", "true").from_pipeline("name", "STRING"), Task::new("late", "echo no such column; exit 3")];
    let mut pipeline = Pipeline::new("broken", tasks).input("name", "STRING").build();
    pipeline["root"]["inputDefinitions"]["parameters"]["name"]["isOptional"] = json!(true);
    sandbox.run_commands(&pipeline).run().expect_code(1);
    let (lines, shown) = failures_shown(&sandbox);
    assert_eq!(lines, ["✗ early", "✗ late", "│ no such column"], "{shown}");
    assert!(shown.lines().any(|line| line.starts_with("the whole log") && line.ends_with(" late")), "{shown}");
}

#[test]
fn text_output_has_no_escape_codes_without_a_terminal() {
    let sandbox = Sandbox::new();
    let task = Task::new("colors", r"printf '\033[31mred\033[0m\n'");
    let file = sandbox.write_pipeline("pipeline.json", &Pipeline::new("plain", [task]).build());
    sandbox.penstock().args(["run", "--host-commands"]).arg(&file).run().expect_code(0);
    for args in [&["get"][..], &["list"], &["watch", "latest"], &["run", "--host-commands", "pipeline.json"]] {
        let invocation = match args.last() {
            Some(&"pipeline.json") => sandbox.penstock().args(["run", "--host-commands"]).arg(&file),
            _ => sandbox.penstock().args(args),
        };
        let finished = invocation.env("TERM", "xterm-256color").run().expect_code(0);
        assert!(!finished.stdout.is_empty(), "{finished}");
        assert!(!finished.stdout.contains('\u{1b}') && !finished.stderr.contains('\u{1b}'), "{finished}");
        assert!(!finished.stdout.contains('\r') && !finished.stderr.contains('\r'), "{finished}");
    }
    let colored = sandbox.penstock().args(["list", "--color", "always"]).run().expect_code(0);
    assert!(colored.stdout.contains('\u{1b}'), "{colored}");
}

#[test]
fn i32_logs_are_kept_whole_and_shown_inert_on_request_only() {
    let sandbox = Sandbox::new();
    let script = r"printf 'no newline at the end'; printf '\n\377\376 broken \033[31mred\n'; head -c 300000 /dev/zero | tr '\0' x; echo; echo last";
    let pipeline = Pipeline::new("logs", [Task::new("talk", script)]).build();
    sandbox.run_commands(&pipeline).run().expect_code(0);
    let logs = sandbox.penstock().args(["logs", "latest", "talk"]).run().expect_code(0);
    assert!(logs.stdout.contains("no newline at the end\n"), "{logs}");
    assert!(logs.stdout.matches('x').count() >= 300_000, "the long line was cut");
    assert!(logs.stdout.trim_end().ends_with("last"), "the end is missing");
}

#[test]
fn f01_nobody_waits_for_a_run_whose_process_was_killed() {
    let sandbox = Sandbox::new();
    let run = start_waiting(&sandbox);
    run.kill_now();
    for args in [&["watch", "latest"][..], &["logs", "latest", "wait", "-f"]] {
        let finished = sandbox.penstock().args(args).limit(SOON).run().expect_code(1);
        finished.expect_complaint("penstock run --resume");
    }
    let seen = sandbox.penstock().args(["get", "latest"]).run().expect_code(0);
    assert!(seen.stdout.contains("penstock run --resume"), "{seen}");
    sandbox.write("go", "");
    sandbox.penstock().args(["run", "-o", "json", "--resume", "latest"]).run().expect_code(0);
    let seen = sandbox.penstock().args(["get", "latest"]).run().expect_code(0);
    assert!(!seen.stdout.contains("--resume"), "{seen}");
}

#[test]
fn list_pages_and_get_understand_beginnings_and_names() {
    let sandbox = Sandbox::new();
    let pipeline = Pipeline::new("many", [Task::new("a", "true")]).build();
    let names = ["first", "second", "third"];
    let mut ids = Vec::new();
    for name in names {
        let run = sandbox.run_commands(&pipeline).args(["--name", name]).run().expect_code(0);
        ids.push(run.document().run_id);
    }
    ids.reverse();
    let first = json_of(&sandbox, &["list", "-n", "2", "-o", "json"]);
    let token = first["next_page_token"].as_str().expect("a token for the third run");
    let second = json_of(&sandbox, &["list", "-n", "2", "-o", "json", "--page-token", token]);
    let seen: Vec<&str> = [&first, &second]
        .iter()
        .flat_map(|page| page["runs"].as_array().into_iter().flatten())
        .filter_map(|run| run["run_id"].as_str())
        .collect();
    assert_eq!(seen, ids);
    assert_eq!(second["next_page_token"], Value::Null);
    sandbox.penstock().args(["list", "--page-token", "forged"]).run().expect_code(2).expect_complaint("error: ");

    // For people: the name that they gave.
    let list = sandbox.penstock().arg("list").run().expect_code(0).stdout;
    assert!(list.starts_with("NAME") && list.contains("DISPLAY NAME") && list.contains(" second "), "{list}");
    let seen = sandbox.penstock().args(["get", "second"]).run().expect_code(0).stdout;
    assert!(seen.lines().next().is_some_and(|head| head.contains(" (second)  succeeded")), "{seen}");

    let oldest = ids.last().expect("three runs");
    for selector in [oldest.as_str(), &oldest[..13], names[0]] {
        let run: RunDocument = serde_json::from_value(json_of(&sandbox, &["get", selector, "-o", "json"])).unwrap();
        assert_eq!(&run.run_id, oldest, "{selector}");
    }
    sandbox.penstock().args(["get", ""]).run().expect_code(2).expect_complaint("error: ");
}

#[test]
fn name_that_nobody_gave_is_not_shown() {
    let sandbox = Sandbox::new();
    let file = sandbox.write_pipeline("pipeline.json", &Pipeline::new("plain", [Task::new("a", "true")]).build());
    let run = sandbox.penstock().args(["run", "--host-commands"]).arg(&file).run().expect_code(0);
    let list = sandbox.penstock().arg("list").run().expect_code(0).stdout;
    let seen = sandbox.penstock().arg("get").run().expect_code(0).stdout;
    assert!(!list.contains("DISPLAY NAME"), "{list}");
    for text in [&seen, &run.stdout] {
        assert!(text.lines().next().is_some_and(|line| line.contains("plain-") && !line.contains('(')), "{text}");
    }
}

#[test]
fn run_under_way_is_seen_from_another_process_and_cannot_be_driven_twice() {
    let sandbox = Sandbox::new();
    let run = start_waiting(&sandbox);
    let seen = sandbox.get_latest();
    assert_eq!(seen.state, "RUNNING");
    assert_eq!(seen.task("wait").state, "RUNNING");
    assert_eq!(seen.task("last").state, "PENDING");

    let second = sandbox.penstock().args(["run", "--resume", "latest"]).run().expect_code(1);
    second.expect_complaint(&run.pid().to_string());
    sandbox.penstock().args(["retry", "latest"]).run().expect_code(2).expect_complaint("has not ended");

    let follow = sandbox.penstock().args(["logs", "latest", "wait", "-f"]).spawn();
    let timed = sandbox.penstock().args(["logs", "latest", "wait", "-f", "--timestamps"]).spawn();
    let watch = sandbox.penstock().args(["watch", "latest", "-o", "json"]).spawn();
    let live = sandbox.penstock().args(["logs", "latest", "wait", "--timestamps"]).run().expect_code(0);
    assert_eq!(without_times(&live.stdout), "before\n", "{live}");
    let live = sandbox.penstock().args(["logs", "latest", "wait"]).run().expect_code(0);
    assert!(live.stdout.contains("before") && !live.stdout.contains("after"), "{live}");

    sandbox.write("go", "");
    let end = run.wait().expect_code(0).document();
    assert_eq!(watch.wait().expect_code(0).document(), end);
    let followed = follow.wait().expect_code(0);
    assert!(followed.stdout.contains("before") && followed.stdout.contains("after"), "{followed}");
    let timed = timed.wait().expect_code(0);
    assert_eq!(without_times(&timed.stdout), followed.stdout, "{timed}");
    let stored = sandbox.penstock().args(["logs", "latest", "wait", "--timestamps"]).run().expect_code(0);
    assert_eq!(without_times(&stored.stdout), followed.stdout, "{stored}");
    assert_eq!(sandbox.get_latest(), end);
}

/// Directories of attempts below the data directory.
fn work_dirs(sandbox: &Sandbox) -> Vec<String> {
    let list = |path: std::path::PathBuf| fs::read_dir(path).into_iter().flatten().flatten();
    let runs = list(sandbox.data_dir().join("work"));
    let attempts = runs.flat_map(|run| list(run.path())).flat_map(|task| list(task.path()));
    attempts.map(|attempt| attempt.path().to_string_lossy().into_owned()).collect()
}

#[test]
fn work_directories_go_with_success_and_stay_with_failure() {
    let sandbox = Sandbox::new();
    let folder = sandbox.folder().to_string_lossy().into_owned();
    let script = r#"echo x >> "$1/tries"; echo printed; mkdir locked; touch locked/file; chmod 500 locked
        [ "$(wc -l < "$1/tries")" -ge 2 ] && echo content > "$2""#;
    let mut tasks = vec![
        Task::new("second-try", script).arg(&folder).artifact("data").retries(1),
        // A path that is handed on leads somewhere as long as the run is at work.
        Task::new("hand-on", r#"path="$(mktemp)"; echo handed > "$path"; printf %s "$path" > "$1""#)
            .output("path", "STRING"),
        Task::new("take", r#"cat "$1""#).arg("{{$.inputs.parameters['path']}}").input_from(
            "path",
            "STRING",
            json!({"taskOutputParameter": {"producerTask": "hand-on", "outputParameterKey": "path"}}),
        ),
    ];
    tasks.extend((0..20).map(|index| Task::new(&format!("t{index}"), "true").after("take")));
    let run = sandbox.run_commands(&Pipeline::new("tidy", tasks).build()).run().expect_code(0).document();
    assert_eq!(run.finished().len(), 23);
    let left = work_dirs(&sandbox);
    assert!(left.len() == 1 && left[0].ends_with("/0"), "only the attempt that failed is kept: {left:?}");
    for (attempt, text) in [("1", "printed"), ("2", "printed")] {
        let args = ["logs", "latest", "second-try", "--attempt", attempt];
        let logs = sandbox.penstock().args(args).run().expect_code(0);
        assert!(logs.stdout.contains(text), "{logs}");
    }
    let follow = sandbox.penstock().args(["logs", "latest", "second-try", "-f"]).run().expect_code(0);
    assert_eq!(follow.stdout, "printed\n");
    let copied = sandbox.penstock().args(["cp", "latest/second-try/data", "-"]).run().expect_code(0);
    assert_eq!(copied.stdout, "content\n");
}

#[test]
fn run_is_stopped_by_another_process() {
    let sandbox = Sandbox::new();
    let run = start_waiting(&sandbox);
    let stop = sandbox.penstock().args(["stop", "latest"]).run().expect_code(0);
    assert!(stop.took < Duration::from_secs(30), "{stop}");
    let end = run.wait().expect_code(3).document();
    assert_eq!(end.state, "CANCELED");
    assert_eq!(end.task("wait").state, "CANCELED");
    assert_eq!(end.task("last").attempt, None);
    assert_eq!(process::alive(&end.run_id), Vec::<u32>::new());
    sandbox.penstock().args(["stop", "latest"]).run().expect_code(0);
    sandbox.penstock().args(["watch", "latest"]).run().expect_code(3);

    // Let it go on: what was stopped runs, to the end this time.
    sandbox.write("go", "");
    let end = sandbox.penstock().args(["retry", "latest", "-o", "json"]).run().expect_code(0).document();
    assert_eq!(end.state, "SUCCEEDED");
}

#[test]
fn stop_brings_a_run_to_its_end_that_nobody_drives() {
    let sandbox = Sandbox::new();
    let run = start_waiting(&sandbox);
    run.kill_now();
    let before = sandbox.get_latest();
    assert_eq!(before.state, "RUNNING");
    sandbox.penstock().args(["stop", "latest"]).run().expect_code(0);
    assert_eq!(sandbox.get_latest().state, "CANCELED");
    assert_eq!(process::alive(&before.run_id), Vec::<u32>::new());
}

#[test]
fn retry_runs_only_what_did_not_succeed() {
    let sandbox = Sandbox::new();
    let folder = sandbox.folder().to_string_lossy().into_owned();
    let record = r#"echo x >> "$1/first""#;
    let tasks = [
        Task::new("first", record).arg(&folder),
        Task::new("second", r#"test -e "$1/mended""#).arg(&folder).after("first"),
        Task::new("third", r#"echo x >> "$1/third""#).arg(&folder).after("second"),
    ];
    let run = sandbox.run_commands(&Pipeline::new("retry", tasks).build()).run().expect_code(1).document();
    assert_eq!(run.task("third").attempt, None);
    sandbox.penstock().args(["retry", "latest"]).run().expect_code(1);
    sandbox.write("mended", "");
    let again = sandbox.penstock().args(["retry", "latest", "-o", "json"]).run().expect_code(0).document();
    assert_eq!((&again.run_id, again.state.as_str()), (&run.run_id, "SUCCEEDED"));
    assert_eq!((sandbox.read("first"), sandbox.read("third")), ("x\n".to_owned(), "x\n".to_owned()));
    sandbox.penstock().args(["retry", "latest"]).run().expect_code(2).expect_complaint("nothing to retry");

    let from = |task| sandbox.penstock().args(["retry", "latest", "--from", task, "-o", "json"]).run();
    from("fourth").expect_code(2).expect_complaint("no task fourth");
    let anew = from("third").expect_code(0).document();
    assert_eq!((&anew.run_id, anew.state.as_str()), (&run.run_id, "SUCCEEDED"));
    assert_eq!((sandbox.read("first"), sandbox.read("third")), ("x\n".to_owned(), "x\nx\n".to_owned()));
    assert_eq!((anew.task("third").attempt, anew.task("first").attempt), (Some(2), Some(1)));
}

fn cached_pipeline(sandbox: &Sandbox, text: &str) -> Value {
    let folder = sandbox.folder().to_string_lossy().into_owned();
    let make = Task::new("make", r#"echo x >> "$1/made"; printf '%s' "$2" > "$3""#)
        .arg(&folder)
        .arg("{{$.inputs.parameters['text']}}")
        .input("text", "STRING", json!(text))
        .artifact("data")
        .cached();
    Pipeline::new("cached", [make, Task::new("show", r#"cat "$1""#).artifact_from("data", "make", "data")]).build()
}

#[test]
fn cached_result_is_taken_explained_and_evicted() {
    let sandbox = Sandbox::new();
    let times = |sandbox: &Sandbox| sandbox.read("made").lines().count();
    let pipeline = cached_pipeline(&sandbox, "one");
    let first = sandbox.run_commands(&pipeline).run().expect_code(0).document();
    let second = sandbox.run_commands(&pipeline).run().expect_code(0).document();
    assert_eq!((first.task("make").cached, second.task("make").cached, times(&sandbox)), (false, true, 1));
    assert!(!second.task("show").cached, "the pipeline turns the cache off for this task");
    assert_eq!(second.task("make").artifacts, first.task("make").artifacts);
    let why = json_of(&sandbox, &["cache", "why", "latest", "make", "-o", "json"]);
    assert_eq!((&why["cached"], &why["source"]["run_id"]), (&json!(true), &json!(first.run_id)));

    let other = cached_pipeline(&sandbox, "two");
    let third = sandbox.run_commands(&other).run().expect_code(0).document();
    assert_eq!((third.task("make").cached, times(&sandbox)), (false, 2));
    let why = sandbox.penstock().args(["cache", "why", "latest", "make"]).run().expect_code(0);
    assert!(why.stdout.contains("input parameter text") && why.stdout.contains("one"), "{why}");

    let off = sandbox.run_commands(&pipeline).arg("--no-cache").run().expect_code(0).document();
    assert_eq!((off.task("make").cached, times(&sandbox)), (false, 3));
    sandbox.penstock().args(["cache", "evict", "--pipeline", "cached"]).run().expect_code(0);
    let fresh = sandbox.run_commands(&pipeline).run().expect_code(0).document();
    assert_eq!((fresh.task("make").cached, times(&sandbox)), (false, 4));
}

#[test]
fn result_of_a_command_without_its_image_is_for_runs_that_allow_that() {
    let sandbox = Sandbox::new();
    let pipeline = cached_pipeline(&sandbox, "one");
    sandbox.run_commands(&pipeline).run().expect_code(0);
    let file = sandbox.write_pipeline("pipeline.json", &pipeline);
    let strict = sandbox.penstock().args(["run", "-o", "json"]).arg(&file).run().expect_code(1).document();
    assert!(!strict.task("make").cached, "{strict:?}");
    let again = sandbox.run_commands(&pipeline).run().expect_code(0).document();
    assert!(again.task("make").cached, "{again:?}");
}

#[test]
fn result_whose_artifact_is_gone_is_not_taken_from_the_cache() {
    let sandbox = Sandbox::new();
    let pipeline = cached_pipeline(&sandbox, "one");
    let first = sandbox.run_commands(&pipeline).run().expect_code(0).document();
    let artifact = first.task("make").artifacts.outputs["data"][0].local_path().expect("a local artifact");
    fs::remove_file(artifact).expect("the artifact's file");
    let second = sandbox.run_commands(&pipeline).run().expect_code(0).document();
    assert!(!second.task("make").cached);
}

#[test]
fn artifact_is_copied_out_and_an_altered_one_is_not() {
    let sandbox = Sandbox::new();
    let run = sandbox.run_commands(&cached_pipeline(&sandbox, "content")).run().expect_code(0).document();
    let copy = sandbox.path("copy");
    sandbox.penstock().args(["cp", "latest/make/data"]).arg(&copy).run().expect_code(0);
    assert_eq!(sandbox.read("copy"), "content");
    let printed = sandbox.penstock().args(["cp", "latest/make/data", "-"]).run().expect_code(0);
    assert_eq!(printed.stdout, "content");
    sandbox.penstock().args(["cp", "latest/make/nothing", "x"]).run().expect_code(2).expect_complaint("data");

    // F-24: of the same size, and different.
    let stored = run.task("make").artifacts.outputs["data"][0].local_path().expect("a local artifact");
    fs::write(&stored, "altered").expect("the artifact's file");
    let finished = sandbox.penstock().args(["cp", "latest/make/data"]).arg(sandbox.path("other")).run();
    finished.expect_code(1).expect_complaint("error: ");
    assert!(!sandbox.has("other"), "an altered artifact was copied");
}

#[test]
fn get_names_what_the_tasks_have_stored_and_how_to_copy_it() {
    let sandbox = Sandbox::new();
    let make = |name: &str| Task::new(name, r#"printf 12345 > "$1""#).artifact("data");
    let each = make("each").input_from("item", "NUMBER_INTEGER", json!({})).each(json!({"raw": "[1, 2]"}));
    let nothing = Task::new("nothing", "true").artifact("left-out");
    sandbox.run_commands(&Pipeline::new("stores", [make("b-make"), each, nothing]).build()).run().expect_code(0);
    let shown = sandbox.penstock().arg("get").run().expect_code(0).stdout;
    let lines: Vec<&str> = shown.lines().skip_while(|line| line.trim() != "artifacts").skip(1).map(str::trim).collect();
    let [first, second, third, hint, ..] = lines.as_slice() else { panic!("{shown}") };
    assert_eq!(first.split_whitespace().collect::<Vec<_>>(), ["b-make/data", "system.Dataset", "5", "B"], "{shown}");
    assert!(second.starts_with("each[0]/data ") && third.starts_with("each[1]/data "), "{shown}");
    let command = hint.strip_prefix("copy one with: penstock ").unwrap_or_else(|| panic!("{shown}"));
    sandbox.penstock().args(command.split(' ')).run().expect_code(0);
    assert_eq!(fs::read_to_string(sandbox.path("home").join("data")).expect("a copy"), "12345");

    let many = (0..12).map(|index| make(&format!("t{index:02}")));
    sandbox.run_commands(&Pipeline::new("many", many).build()).run().expect_code(0);
    let shown = sandbox.penstock().arg("get").run().expect_code(0).stdout;
    assert!(shown.contains("t09/data") && !shown.contains("t10/data") && shown.contains("… 2 more"), "{shown}");
}

#[test]
fn task_is_found_by_the_name_of_its_function() {
    let sandbox = Sandbox::new();
    let tasks = [
        Task::new("make-data", r#"echo dashes; printf made > "$1""#).artifact("data"),
        Task::new("clean-up", "echo dashes"),
        Task::new("clean_up", "echo underscores"),
    ];
    sandbox.run_commands(&Pipeline::new("names", tasks).build()).run().expect_code(0);
    let printed = |args: &[&str]| sandbox.penstock().args(args).run().expect_code(0).stdout;
    assert_eq!(printed(&["cp", "latest/make_data/data", "-"]), "made");
    assert_eq!(printed(&["logs", "latest", "make_data"]), "dashes\n");
    assert_eq!(printed(&["logs", "make_data"]), "dashes\n");
    assert_eq!(printed(&["logs", "latest", "clean_up"]), "underscores\n");
    let unknown = sandbox.penstock().args(["logs", "make_none"]).run().expect_code(2);
    for part in ["make_none is neither a run", "nor a task of the latest run, names-", "penstock list", "penstock get"]
    {
        assert!(unknown.stderr.contains(part), "{part}: {unknown}");
    }
    sandbox.penstock().args(["cp", "latest/make_none/data", "-"]).run().expect_code(2).expect_complaint("make_none");
}

#[test]
fn python_file_is_compiled_and_run() {
    let Some(python) = python::find_or_skip("python_file_is_compiled_and_run") else { return };
    let sandbox = Sandbox::new();
    let source = binary::samples().join("sequential.py");
    let run = sandbox.penstock().python(&python).args(["run", "-o", "json"]).arg(&source).run().expect_code(0);
    let compiled =
        sandbox.penstock().python(&python).args(["run", "-o", "json"]).arg(source.with_extension("yaml")).run();
    assert_eq!(run.document().outputs, compiled.expect_code(0).document().outputs);

    let broken = sandbox.write("broken.py", "from kfp import dsl\nraise RuntimeError('broken on purpose')\n");
    let finished = sandbox.penstock().python(&python).arg("run").arg(&broken).run().expect_code(2);
    finished.expect_complaint("broken on purpose");
}

#[test]
fn f36_two_processes_run_pipelines_in_one_data_directory() {
    let sandbox = Sandbox::new();
    let tasks = (0..5).map(|index| Task::new(&format!("t{index}"), "sleep 0.05"));
    let file = sandbox.write_pipeline("pipeline.json", &Pipeline::new("parallel", tasks).build());
    let start = || sandbox.penstock().args(["run", "-o", "json", "--host-commands"]).arg(&file).spawn();
    let runs: Vec<Background> = (0..4).map(|_| start()).collect();
    let ids: Vec<String> = runs.into_iter().map(|run| run.wait().expect_code(0).document().run_id).collect();
    let listed = json_of(&sandbox, &["list", "-o", "json"]);
    let listed = wait_for("all runs in the list", SOON, || {
        listed["runs"].as_array().map(|runs| runs.iter().filter_map(|run| run["run_id"].as_str()).collect::<Vec<_>>())
    });
    assert!(ids.iter().all(|id| listed.contains(&id.as_str())), "{listed:?}");
}
