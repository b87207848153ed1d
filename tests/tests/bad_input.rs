//! Odd and hostile input at the command line, in pipelines, and in what tasks write: a clear error with exit code 2, or
//! a failed task with its reason, and nothing else harmed.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use penstock_tests::binary;
use penstock_tests::document::RunDocument;
use penstock_tests::invocation::Finished;
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::python;
use penstock_tests::sandbox::Sandbox;
use serde_json::{Value, json};

/// Runs a file that must be refused before anything runs.
#[track_caller]
fn refused(sandbox: &Sandbox, file: &Path, complaint: &str) -> Finished {
    let finished = sandbox.penstock().args(["run", "--host-commands", "-o", "json"]).arg(file).run();
    let finished = finished.expect_code(2).expect_complaint("error: ").expect_complaint(complaint);
    assert_eq!(finished.stdout, "", "{finished}");
    assert_eq!(list(sandbox), Vec::<Value>::new(), "a refused pipeline left a run");
    finished
}

#[track_caller]
fn refused_content(name: &str, content: impl AsRef<[u8]>, complaint: &str) -> Finished {
    let sandbox = Sandbox::new();
    let file = sandbox.write(name, content);
    refused(&sandbox, &file, complaint)
}

#[track_caller]
fn refused_pipeline(pipeline: &Value, complaint: &str) -> Finished {
    let sandbox = Sandbox::new();
    let file = sandbox.write_pipeline("pipeline.json", pipeline);
    refused(&sandbox, &file, complaint)
}

fn list(sandbox: &Sandbox) -> Vec<Value> {
    let finished = sandbox.penstock().args(["list", "-o", "json"]).run().expect_code(0);
    let document: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished}"));
    document["runs"].as_array().cloned().unwrap_or_default()
}

/// A pipeline with one task that prints nothing.
fn trivial() -> Value {
    Pipeline::new("trivial", [Task::new("only", "true")]).build()
}

/// Runs a pipeline that ends with this code.
#[track_caller]
fn run(pipeline: &Value, code: i32) -> (Sandbox, RunDocument) {
    let sandbox = Sandbox::new();
    let document = sandbox.run_commands(pipeline).run().expect_code(code).document();
    (sandbox, document)
}

// I-01

#[test]
fn i01_empty_blank_and_binary_files_are_refused() {
    refused_content("empty.yaml", b"", "empty");
    refused_content("blank.yaml", b" \n\n", "empty");
    refused_content("binary.yaml", b"\x7fELF\x02\x01\x01\0\0\0", "NUL");
    refused_content("latin.yaml", b"pipelineInfo: {name: caf\xe9}", "UTF-8");
    refused_content("picture.png", b"\x89PNG\r\n\x1a\n", "format");
}

#[test]
fn i01_cut_off_file_is_refused_with_the_place() {
    let text = trivial().to_string();
    let (half, _) = text.split_at(text.len() / 2);
    refused_content("half.json", half, "line");
    refused_content("half.yaml", "pipelineInfo:\n  name: [a, b", "line");
}

#[test]
fn i01_file_that_does_not_exist_is_refused() {
    let sandbox = Sandbox::new();
    let missing = sandbox.path("missing.yaml");
    refused(&sandbox, &missing, "missing.yaml");
    refused(&sandbox, sandbox.folder(), "error");
}

#[test]
fn i01_byte_order_marks_are_understood() {
    let text = trivial().to_string();
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let utf8 = [b"\xef\xbb\xbf".as_slice(), text.as_bytes()].concat();
    for bytes in [utf8, utf16] {
        let sandbox = Sandbox::new();
        let file = sandbox.write("pipeline.yaml", bytes);
        sandbox.penstock().args(["run", "--host-commands", "-o", "json"]).arg(file).run().expect_code(0);
    }
}

// I-02, I-03, I-04

#[test]
fn i02_alias_bombs_and_circular_anchors_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    refused_content("bomb.yaml", bomb, "alias");
    refused_content("circle.yaml", "pipelineInfo: &a {name: x, again: *a}\n", "line");
}

#[test]
fn i03_very_deep_documents_and_parameters_are_refused() {
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    refused_content("deep.json", format!("{{\"pipelineInfo\": {}}}", deep(200_000)), "de");
    refused_content("deep.yaml", format!("pipelineInfo: {}\n", deep(200_000)), "de");
    let dashes = format!("pipelineInfo:\n  {}x\n", "- ".repeat(100_000));
    refused_content("dashes.yaml", dashes, "de");

    let sandbox = Sandbox::new();
    let pipeline = Pipeline::new("deep", [Task::new("only", "true")]).input("list", "LIST").build();
    let parameters = sandbox.write("parameters.json", format!("{{\"list\": {}}}", deep(100_000)));
    let finished = sandbox.run_commands(&pipeline).arg("-f").arg(parameters).run();
    finished.expect_code(2).expect_complaint("parameters.json");
    let on_the_line = format!("list={}", deep(1_000));
    sandbox.run_commands(&pipeline).args(["-p", &on_the_line]).run().expect_code(2).expect_complaint("list");
}

#[test]
fn i03_depth_that_aliases_add_up_is_refused() {
    let mut text = "a0: &a0 [x]\n".to_owned();
    for level in 1..150 {
        text.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    refused_content("aliases.yaml", text, "deep");
}

#[test]
fn i04_duplicate_keys_and_unknown_tags_are_refused() {
    refused_content("twice.yaml", "pipelineInfo:\n  name: a\n  name: b\n", "name");
    refused_content("twice.json", r#"{"pipelineInfo": {"name": "a", "name": "b"}}"#, "name");
    refused_content("tag.yaml", "pipelineInfo: !!python/object/apply:os.system ['true']\n", "tag");
}

#[test]
fn i04_very_large_file_is_refused_with_the_limit() {
    let large = format!("# {}\n", "x".repeat(40 << 20));
    refused_content("large.yaml", large, "33554432");
}

#[test]
fn i04_two_pipelines_in_one_file_are_refused() {
    let one = trivial().to_string();
    refused_content("two.yaml", format!("{one}\n---\n{one}\n"), "multiple pipeline specs");
    refused_content("many.yaml", format!("{one}{}", "\n---\n{}".repeat(1_000)), "16 documents");
}

#[test]
fn i04_merge_keys_mean_what_they_mean_to_the_sdk() {
    let pipeline = trivial();
    let info = "shared: &shared\n  name: merged\npipelineInfo:\n  <<: *shared\n";
    let mut rest = pipeline.clone();
    rest.as_object_mut().expect("a pipeline").remove("pipelineInfo");
    let rest: String = rest.as_object().into_iter().flatten().map(|(key, value)| format!("{key}: {value}\n")).collect();
    // An unknown key at the top is refused, and its name says that the merge itself was understood.
    let finished = refused_content("merge.yaml", format!("{info}{rest}"), "shared");
    assert!(!finished.stderr.contains("<<"), "{finished}");
    let twice = format!("pipelineInfo: &i\n  name: own\n  <<: {{name: other, description: merged}}\n{rest}");
    let sandbox = Sandbox::new();
    let file = sandbox.write("merge.yaml", twice);
    sandbox.penstock().args(["run", "--host-commands", "-o", "json"]).arg(file).run().expect_code(0);
    assert_eq!(list(&sandbox)[0]["pipeline"], json!("own"));
}

// I-05

#[test]
fn i05_numbers_and_words_mean_what_they_mean_to_kfp() {
    // Its numbers are doubles: above 2^53 they are rounded.
    let task = Task::new("check", r#"printf '%s' "$1" > "$2""#)
        .arg("{{$.inputs.parameters['value']}}")
        .from_pipeline("value", "NUMBER_INTEGER")
        .output("seen", "STRING");
    let pipeline = Pipeline::new("numbers", [task])
        .input("value", "NUMBER_INTEGER")
        .output("seen", "STRING", "check", "seen")
        .build();
    for (given, seen) in [("9007199254740993", "9007199254740992"), ("-0", "0"), ("1e3", "1000"), ("-7", "-7")] {
        let sandbox = Sandbox::new();
        let finished = sandbox.run_commands(&pipeline).args(["-p", &format!("value={given}")]).run().expect_code(0);
        assert_eq!(finished.document().outputs.parameters["seen"], json!(seen), "{given}");
    }
    for given in ["1e400", "NaN", ".nan", "0o17", "NO", "\"1\"", "", "[1]", "null"] {
        let sandbox = Sandbox::new();
        let finished = sandbox.run_commands(&pipeline).args(["-p", &format!("value={given}")]).run();
        finished.expect_code(2).expect_complaint("value");
    }
}

// I-06, I-07

fn with_tasks(change: impl FnOnce(&mut Value)) -> Value {
    let mut pipeline = Pipeline::new("graph", [Task::new("a", "true"), Task::new("b", "true").after("a")]).build();
    change(&mut pipeline);
    pipeline
}

#[test]
fn i06_cycles_and_dangling_references_are_refused_with_their_names() {
    let cycle = with_tasks(|pipeline| pipeline["root"]["dag"]["tasks"]["a"]["dependentTasks"] = json!(["b"]));
    refused_pipeline(&cycle, "wait for each other");
    let own = with_tasks(|pipeline| pipeline["root"]["dag"]["tasks"]["a"]["dependentTasks"] = json!(["a"]));
    refused_pipeline(&own, "root.dag.tasks.a");
    let dangling = with_tasks(|pipeline| pipeline["root"]["dag"]["tasks"]["a"]["dependentTasks"] = json!(["ghost"]));
    refused_pipeline(&dangling, "ghost");
    let component =
        with_tasks(|pipeline| pipeline["root"]["dag"]["tasks"]["a"]["componentRef"]["name"] = json!("ghost"));
    refused_pipeline(&component, "ghost");
    let executor = with_tasks(|pipeline| pipeline["components"]["comp-a"]["executorLabel"] = json!("ghost"));
    refused_pipeline(&executor, "ghost");
    let producer = Task::new("c", "true").input_from(
        "x",
        "STRING",
        json!({"taskOutputParameter": {"producerTask": "ghost", "outputParameterKey": "y"}}),
    );
    refused_pipeline(&Pipeline::new("graph", [producer]).build(), "ghost");
}

#[test]
fn i06_component_that_contains_itself_is_refused() {
    let pipeline = with_tasks(|pipeline| {
        let again = json!({"again": {"componentRef": {"name": "comp-a"}, "taskInfo": {"name": "again"}}});
        pipeline["components"]["comp-a"] = json!({"dag": {"tasks": again}});
    });
    refused_pipeline(&pipeline, "comp-a");
}

#[test]
fn i06_very_long_chain_is_checked_without_recursion() {
    let mut pipeline = with_tasks(|_| {});
    let task = pipeline["root"]["dag"]["tasks"]["a"].clone();
    for index in 0..20_000_u32 {
        let mut next = task.clone();
        next["dependentTasks"] = json!([format!("t{}", index.saturating_sub(1))]);
        pipeline["root"]["dag"]["tasks"][format!("t{index}")] = next;
    }
    // The first waits for itself: the whole chain is read before that is found.
    refused_pipeline(&pipeline, "t0");
}

#[test]
fn i07_task_names_that_look_alike_stay_apart_and_empty_ones_are_refused() {
    let names = ["train_a", "train-a", "train.a", "TRAIN-a", "тренировка", "a b", "-a"];
    let tasks = names.map(|name| Task::new(name, r#"printf '%s' "$1" > "$2""#).arg(name).output("name", "STRING"));
    let (_sandbox, document) = run(&Pipeline::new("alike", tasks).build(), 0);
    for name in names {
        assert_eq!(document.task(name).parameters.outputs["name"], json!(name));
    }
    refused_pipeline(&Pipeline::new("empty", [Task::new("", "true")]).build(), "empty");
}

#[test]
fn i12_names_that_would_leave_the_data_directory_do_not() {
    for name in ["../../../escaped", "/escaped", "a/../../b", "..", "a\\b", "%2e%2e%2fescaped", "a;b", "a#b?c", "a. "] {
        let sandbox = Sandbox::new();
        let task = Task::new(name, r#"echo content > "$1""#).artifact(name);
        let finished = sandbox.run_commands(&Pipeline::new(name, [task]).build()).run();
        assert!(matches!(finished.code(), Some(0..=2)), "{name}: {finished}");
        assert!(!finished.stderr.contains("panicked"), "{finished}");
        if finished.code() == Some(0) {
            let document = finished.document();
            let artifact = document.tasks.iter().find_map(|task| task.artifacts.outputs.get(name)?.first());
            let path = artifact.and_then(|artifact| artifact.local_path()).expect("a stored artifact");
            let path = fs::canonicalize(&path).unwrap_or_else(|error| panic!("{name}: {}: {error}", path.display()));
            let data = fs::canonicalize(sandbox.data_dir()).expect("the data directory");
            assert!(path.starts_with(&data), "{name} was stored at {}", path.display());
        }
        for escaped in ["escaped", "b", "home/escaped"] {
            assert!(!sandbox.has(escaped), "{name} wrote {escaped}");
        }
        assert!(!Path::new("/escaped").exists(), "{name} wrote to the root");
    }
}

/// Names of outputs become names of files and keys.
#[test]
fn i12_names_of_outputs_that_would_leave_their_directory_do_not() {
    for name in ["../../../escaped", "/escaped", "..", ".", "a/b", "a\\b", "%2e%2e%2fescaped", "a;b", "a#b?c", "a. "] {
        let sandbox = Sandbox::new();
        let write = Task::new("write", r#"printf 5 > "$1"; echo content > "$2""#);
        let write = write.output(name, "STRING").artifact(&format!("{name}-data"));
        let read = Task::new("read", r#"cat "$1""#).artifact_from("data", "write", &format!("{name}-data"));
        let finished = sandbox.run_commands(&Pipeline::new("names", [write, read]).build()).run();
        assert!(matches!(finished.code(), Some(0..=2)) && !finished.stderr.contains("panicked"), "{name}: {finished}");
        if finished.code() == Some(0) {
            assert_eq!(finished.document().task("write").parameters.outputs[name], json!("5"));
        }
        for escaped in ["escaped", "home/escaped", "data/escaped", "data/work/escaped"] {
            assert!(!sandbox.has(escaped), "{name} wrote {escaped}");
        }
        assert!(!Path::new("/escaped").exists(), "{name} wrote to the root");
    }
}

#[test]
fn i12_roots_and_uris_stay_where_they_say() {
    let sandbox = Sandbox::new();
    let task = Task::new("make", r#"echo content > "$1""#).artifact("data");
    let file = sandbox.write_pipeline("pipeline.json", &Pipeline::new("roots", [task]).build());
    for root in [
        "file://relative",
        "file:///../etc",
        "s3://",
        "s3:///key",
        "s3://bucket/../other",
        "s3://b/a//c",
        "ftp://x/y",
        "",
    ] {
        let finished = sandbox.penstock().args(["run", "--host-commands", "--root", root]).arg(&file).run();
        finished.expect_code(2).expect_complaint("error: ");
    }
    assert_eq!(list(&sandbox), Vec::<Value>::new());
    // Dots are undone and odd characters kept: what is stored is found again.
    for root in ["a/../b", "odd #?%2e%2e; name", "trailing. "] {
        let run = sandbox.penstock().args(["run", "--host-commands", "-o", "json", "--root", root]).arg(&file).run();
        let run = run.expect_code(0).document();
        let path = run.task("make").artifacts.outputs["data"][0].local_path().expect("a stored artifact");
        let real = fs::canonicalize(sandbox.path("home")).expect("the home").join(root.replace("a/../b", "b"));
        assert!(path.starts_with(&real), "{root:?} is at {}", path.display());
        let printed = sandbox.penstock().args(["cp", &format!("{}/make/data", run.run_id), "-"]).run();
        assert_eq!(printed.expect_code(0).stdout, "content\n", "{root:?}");
    }
}

// I-08

#[test]
fn i08_loops_over_nothing_one_and_wrong_things() {
    let pipeline = || {
        let each = Task::new("each", r#"printf '%s' "$1" > "$2""#)
            .arg("{{$.inputs.parameters['item']}}")
            .input_from("item", "STRING", json!({"componentInputParameter": "item"}))
            .output("item", "STRING")
            .each(json!({"inputParameter": "items"}));
        let mut pipeline = Pipeline::new("loop", [each]).input("items", "LIST").build();
        let inputs = &mut pipeline["root"]["dag"]["tasks"]["each"]["inputs"]["parameters"];
        *inputs = json!({"items": {"componentInputParameter": "items"}});
        pipeline["components"]["comp-each"]["inputDefinitions"]["parameters"]["items"] =
            json!({"parameterType": "LIST"});
        pipeline
    };
    let run = |items: &str| {
        let sandbox = Sandbox::new();
        let file = sandbox.write("parameters.json", format!("{{\"items\": {items}}}"));
        sandbox.run_commands(&pipeline()).arg("-f").arg(file).run()
    };
    let nothing = run("[]").expect_code(0).document();
    assert_eq!(nothing.finished(), Vec::<&str>::new());
    let one = run(r#"["a"]"#).expect_code(0).document();
    assert_eq!(one.finished().len(), 1);
    run(r#"{"a": 1}"#).expect_code(2).expect_complaint("items");
    let many = format!("[{}0]", "0,".repeat(200_000));
    let many = run(&many).expect_code(1).document();
    assert!(many.failure_of("each").contains("100000"), "{:?}", many.failure_of("each"));
}

// I-10, I-11, I-28

/// Values that mean something to a shell, to YAML, or to a template language, and must mean nothing to us.
const ODD_TEXTS: [&str; 12] = [
    "{{$.inputs.parameters['other']}}",
    "{{$}} {{$.pipeline_job_name}} {{",
    "{{$.unknown}}",
    "$(touch escaped); `touch escaped` && touch escaped | cat",
    "line\nbreak\ttab\r\n",
    "-rf --help",
    "quote ' double \" backslash \\ end\\",
    "  leading and trailing  ",
    "\u{202e}reversed\u{202c} \u{200b}zero width e\u{301} \u{e9}",
    "\u{1b}[31mred\u{1b}[0m \u{7}",
    "{\"Concat\": [\"a\", \"b\"]}",
    "",
];

#[test]
fn i10_i11_texts_reach_the_task_byte_by_byte() {
    let task = Task::new("echo", r#"printf '%s' "$1" > "$2""#)
        .arg("{{$.inputs.parameters['text']}}")
        .from_pipeline("text", "STRING")
        .output("seen", "STRING");
    let pipeline =
        Pipeline::new("texts", [task]).input("text", "STRING").output("seen", "STRING", "echo", "seen").build();
    for text in ODD_TEXTS {
        let sandbox = Sandbox::new();
        let parameters = sandbox.write("parameters.json", json!({"text": text}).to_string());
        let finished = sandbox.run_commands(&pipeline).arg("-f").arg(parameters).run().expect_code(0);
        let run = finished.document();
        // The pipeline's own macros in a run parameter are expanded by KFP, and only those.
        if !text.contains("pipeline_job_name") {
            assert_eq!(run.outputs.parameters["seen"], json!(text));
        } else {
            assert!(run.outputs.parameters["seen"].as_str().is_some_and(|seen| seen.starts_with("{{$}} ")));
        }
        assert!(!sandbox.has("home/escaped") && !sandbox.has("escaped"));
        assert!(!finished.stdout.contains('\u{1b}') && !finished.stderr.contains('\u{1b}'), "{finished}");
    }
}

#[test]
fn i10_placeholders_by_the_thousand_and_unclosed_ones_take_no_time() {
    let many = "{{$.inputs.parameters['x".repeat(4_000);
    let pipeline = Pipeline::new("many", [Task::new("echo", "test -n \"$1\"").arg(&many)]).build();
    run(&pipeline, 0);
}

/// Twice the work may take a little more than twice the time, and never four times.
#[test]
fn i10_placeholders_are_replaced_in_linear_time() {
    // Values full of what looks like placeholders, in a template full of placeholders.
    let finish = |count: usize| {
        let odd = "{{$.inputs.parameters['text']}}{{$.inputs.parameters['".repeat(60);
        let template = "{{$.inputs.parameters['text']}} {{$.inputs. ".repeat(count);
        let arguments = Task::new("echo", r#"printf '%s' "$#" > "$1""#).output("seen", "STRING");
        // One argument has a limit, many arguments together have a larger one.
        let task = (0..4).fold(arguments, |task, _| task.arg(&template)).from_pipeline("text", "STRING");
        let pipeline =
            Pipeline::new("linear", [task]).input("text", "STRING").output("seen", "STRING", "echo", "seen").build();
        let sandbox = Sandbox::new();
        let parameters = sandbox.write("parameters.json", json!({"text": odd}).to_string());
        let finished = sandbox.run_commands(&pipeline).arg("-f").arg(parameters).run().expect_code(0);
        assert_eq!(finished.document().outputs.parameters["seen"], json!("5"));
        finished.took
    };
    let (some, more) = (finish(10), finish(40));
    assert!(more < some * 4 + std::time::Duration::from_secs(2), "10 took {some:?}, 40 took {more:?}");
    // Megabytes that are refused in the end: four million braces, none of them closed.
    let sandbox = Sandbox::new();
    let task = Task::new("echo", "true").arg(&"{{$".repeat(1_500_000));
    let finished = sandbox.run_commands(&Pipeline::new("unclosed", [task]).build()).run().expect_code(1);
    assert!(finished.document().failure_of("echo").contains("131071"), "{}", finished.stderr);
    assert!(finished.took < std::time::Duration::from_secs(60), "{:?}", finished.took);
}

#[test]
fn i11_python_component_takes_more_than_one_argument_holds() {
    let Some(python) = python::find_or_skip("i11_python_component_takes_more_than_one_argument_holds") else { return };
    let sandbox = Sandbox::new();
    let source = "from kfp import dsl\n\n\n@dsl.component\ndef measure(text: str) -> str:\n    \
                  return f'{len(text)} {text[:3]!r}'\n\n\n@dsl.pipeline\ndef measuring(text: str) -> str:\n    \
                  return measure(text=text).output\n";
    let file = sandbox.write("measuring.py", source);
    let text = format!("$'\n{}", "x".repeat(1_000_000));
    let parameters = sandbox.write("parameters.json", json!({ "text": text }).to_string());
    let command = sandbox.penstock().python(&python).args(["run", "-o", "json", "-f"]).arg(parameters).arg(file);
    let run = command.run().expect_code(0).document();
    assert_eq!(run.outputs.parameters["Output"], json!("1000003 \"$'\\n\""));
}

#[test]
fn i11_argument_above_the_kernels_limit_fails_with_the_number() {
    let task = Task::new("echo", "true").arg("{{$.inputs.parameters['text']}}").from_pipeline("text", "STRING");
    let pipeline = Pipeline::new("long", [task]).input("text", "STRING").build();
    for (length, code) in [(131_071, 0), (131_072, 1)] {
        let sandbox = Sandbox::new();
        let parameters = sandbox.write("parameters.json", json!({"text": "x".repeat(length)}).to_string());
        let finished = sandbox.run_commands(&pipeline).arg("-f").arg(parameters).run().expect_code(code);
        if code == 1 {
            assert!(finished.document().failure_of("echo").contains("131071"), "{finished}");
        }
    }
}

#[test]
fn i11_nul_in_an_argument_fails_with_the_name_of_the_input() {
    let task = Task::new("echo", "true").arg("{{$.inputs.parameters['text']}}").from_pipeline("text", "STRING");
    let pipeline = Pipeline::new("nul", [task]).input("text", "STRING").build();
    let sandbox = Sandbox::new();
    let parameters = sandbox.write("parameters.json", r#"{"text": "a\u0000b"}"#);
    let run = sandbox.run_commands(&pipeline).arg("-f").arg(parameters).run().expect_code(1).document();
    assert!(run.failure_of("echo").contains("text"), "{:?}", run.failure_of("echo"));
}

#[test]
fn i28_parameter_files_are_read_strictly() {
    let pipeline = Pipeline::new("parameters", [Task::new("only", "true")]).input("a", "NUMBER_INTEGER").build();
    for (content, complaint) in [
        (r#"{"a": 1, "a": 2}"#, "a"),
        (r#"{"a": 1} trailing"#, "parameters.json"),
        (r#"[1]"#, "parameters.json"),
        (r#"{"a": 1"#, "parameters.json"),
        ("", "parameters.json"),
        (r#"{"a": 1, "b": 2}"#, "b"),
        (r#"{"a": "1"}"#, "a"),
        (r#"{"a": null}"#, "a"),
        (r#"{}"#, "a"),
    ] {
        let sandbox = Sandbox::new();
        let file = sandbox.write("parameters.json", content);
        let finished = sandbox.run_commands(&pipeline).arg("-f").arg(file).run();
        finished.expect_code(2).expect_complaint(complaint);
        assert_eq!(list(&sandbox), Vec::<Value>::new(), "{content}");
    }
}

#[test]
fn parameters_on_the_command_line_are_checked() {
    let pipeline = Pipeline::new("parameters", [Task::new("only", "true")]).input("a", "NUMBER_INTEGER").build();
    for (given, complaint) in [("a", "="), ("=1", "="), ("a=x", "a"), ("b=1", "b"), ("a=1.5.2", "a")] {
        let sandbox = Sandbox::new();
        sandbox.run_commands(&pipeline).args(["-p", given]).run().expect_code(2).expect_complaint(complaint);
    }
}

// I-16, I-17, I-18

/// Runs a script that makes something at the path of its output artifact.
fn directory(script: &str, code: i32) -> (Sandbox, RunDocument) {
    let task = Task::new("make", script).artifact("tree");
    run(&Pipeline::new("tree", [task]).build(), code)
}

#[test]
fn i16_special_files_in_an_output_directory_fail_with_their_name() {
    for (script, name) in [
        (r#"mkdir "$1" && mkfifo "$1/pipe""#, "pipe"),
        (r#"mkdir "$1" && ln -s /etc/passwd "$1/link""#, "link"),
        (r#"mkdir "$1" && ln -s nowhere "$1/dangling""#, "dangling"),
        (r#"mkfifo "$1""#, "FIFO"),
        (r#"mkdir "$1" && printf x > "$1/$(printf 'bad\377name')""#, "UTF-8"),
    ] {
        let (_sandbox, run) = directory(script, 1);
        assert!(run.failure_of("make").contains(name), "{script}: {:?}", run.failure_of("make"));
        let stored = run.task("make").artifacts.outputs.get("tree");
        assert!(stored.is_none_or(Vec::is_empty), "{script}: {stored:?}");
    }
}

#[test]
fn i16_sparse_files_hardlinks_and_empty_directories_are_stored_as_they_are_read() {
    let script = r#"mkdir -p "$1/empty" "$1/a/b" && truncate -s 64M "$1/sparse" && echo x > "$1/a/b/file" &&
        ln "$1/a/b/file" "$1/hard" && touch "$1/.hidden" "$1/nothing""#;
    let (sandbox, run) = directory(script, 0);
    let copy = sandbox.path("copy");
    let source = format!("{}/make/tree", run.run_id);
    sandbox.penstock().args(["cp", &source]).arg(&copy).run().expect_code(0);
    assert_eq!(fs::metadata(copy.join("sparse")).expect("the sparse file").len(), 64 << 20);
    assert_eq!(sandbox.read("copy/a/b/file"), "x\n");
    assert_eq!(sandbox.read("copy/hard"), "x\n");
    assert!(copy.join(".hidden").is_file() && copy.join("nothing").is_file());
}

#[test]
fn i16_output_that_was_not_made_is_no_error() {
    directory("true", 0);
}

#[test]
fn i17_malformed_executor_output_fails_the_task_with_its_reason() {
    for (content, reason) in [
        ("{", "EOF"),
        ("[]", "not a JSON object"),
        (r#"{"surprise": 1}"#, "surprise"),
        (r#"{"parameterValues": {"x": 1, "x": 2}}"#, "twice"),
        (r#"{} trailing"#, "trailing"),
        (r#"{"artifacts": 7}"#, "artifacts"),
        (r#"{"parameterValues": {"x": NaN}}"#, "NaN"),
    ] {
        let task = Task::new("report", r#"printf '%s' "$1" > "$2""#).arg(content).arg("{{$.outputs.output_file}}");
        let (_sandbox, run) = run(&Pipeline::new("report", [task]).build(), 1);
        assert!(run.failure_of("report").contains(reason), "{content}: {:?}", run.failure_of("report"));
    }
    let deep =
        Task::new("report", r#"{ printf '{"parameterValues":{"x":'; head -c 100000 /dev/zero | tr '\0' '['; } > "$1""#);
    let (_sandbox, run) = run(&Pipeline::new("deep", [deep.arg("{{$.outputs.output_file}}")]).build(), 1);
    run.failure_of("report");
}

#[test]
fn i17_foreign_uri_is_recorded_only_and_a_device_is_refused() {
    let report = |entry: Value| {
        let document = json!({"artifacts": {"data": {"artifacts": [entry]}}});
        let mut task = Task::new("report", r#"printf '%s' "$2" > "$3""#).artifact("data");
        task = task.arg(&document.to_string()).arg("{{$.outputs.output_file}}");
        let sandbox = Sandbox::new();
        let finished = sandbox.run_commands(&Pipeline::new("report", [task]).build()).run();
        (sandbox, finished)
    };
    for outside in ["/etc/passwd", "/tmp/../etc/passwd"] {
        let (_sandbox, finished) = report(json!({"name": "data", "uri": outside}));
        let run = finished.expect_code(1).document();
        assert!(run.failure_of("report").contains(outside), "{:?}", run.failure_of("report"));
        assert_eq!(run.task("report").artifacts.outputs.get("data"), None);
    }
    let (_sandbox, finished) = report(json!({"name": "data", "uri": "https://example.invalid/model"}));
    let run = finished.expect_code(0).document();
    let artifact = &run.task("report").artifacts.outputs["data"][0];
    assert_eq!(artifact.uri, "https://example.invalid/model");
    assert_eq!(artifact.content, None);

    // On one's own machine the task could read any file of the account itself; devices have no end.
    let (_sandbox, finished) = report(json!({"name": "data", "custom_path": "/dev/zero"}));
    let run = finished.expect_code(1).document();
    assert!(run.failure_of("report").contains("/dev/zero"), "{:?}", run.failure_of("report"));
}

#[test]
fn i18_output_parameter_files_are_read_by_kfps_rules() {
    for (kind, script, reason) in [
        ("STRING", "true", "failed to read output parameter"),
        ("STRING", r#"mkdir "$1""#, "directory"),
        ("STRING", r#"mkfifo "$1""#, "pipe"),
        ("STRING", r#"ln -s /etc/passwd "$1""#, "link"),
        ("STRING", r#"printf 'a\377b' > "$1""#, "UTF-8"),
        ("NUMBER_DOUBLE", r#"echo NaN > "$1""#, "value"),
        ("NUMBER_INTEGER", r#"echo 1.5 > "$1""#, "value"),
        ("BOOLEAN", r#"echo yes > "$1""#, "value"),
        ("LIST", r#"echo '{}' > "$1""#, "value"),
        ("STRUCT", r#"echo '[' > "$1""#, "value"),
        ("STRING", r#"truncate -s 40M "$1""#, "bytes"),
    ] {
        let task = Task::new("write", script).output("value", kind);
        let (_sandbox, run) = run(&Pipeline::new("output", [task]).build(), 1);
        let error = run.failure_of("write");
        assert!(error.contains(reason), "{kind} {script}: {error:?}");
        assert!(!error.contains("root:"), "{error:?}");
    }
}

#[test]
fn command_that_does_not_exist_fails_with_its_name() {
    let task = Task::new("start", "").command(&["no-such-program-here"]);
    let (_sandbox, run) = run(&Pipeline::new("start", [task]).build(), 1);
    assert!(run.failure_of("start").contains("no-such-program-here"));
}

#[test]
fn component_without_python_needs_leave_to_run_on_the_host() {
    let sandbox = Sandbox::new();
    let file = sandbox.write_pipeline("pipeline.json", &trivial());
    let finished = sandbox.penstock().args(["run", "-o", "json"]).arg(file).run();
    assert!(matches!(finished.code(), Some(1 | 2)), "{finished}");
    finished.expect_complaint("busybox:1.36").expect_complaint("--host-commands");
}

#[test]
fn settings_for_a_cluster_only_are_named_once_with_their_tasks() {
    let Some(python) = python::find_or_skip("settings_for_a_cluster_only_are_named_once_with_their_tasks") else {
        return;
    };
    let sandbox = Sandbox::new();
    let file = binary::samples().join("cluster_settings.yaml");
    let finished = sandbox.penstock().python(&python).args(["run", "-o", "json"]).arg(&file).run().expect_code(0);
    assert_eq!(finished.document().outputs.parameters["Output"], json!("second"));
    for (setting, tasks) in [
        ("node selectors", r#"(tasks "say", "say-2")"#),
        ("tolerations", r#"(task "say")"#),
        ("secrets as environment variables", r#"(task "say-2")"#),
        ("mounted volume claims", r#"(task "say-2")"#),
        ("when images are pulled", r#"(task "say-2")"#),
        ("resource requests, limits and accelerators", r#"(task "say")"#),
    ] {
        let lines: Vec<&str> = finished.stderr.lines().filter(|line| line.contains(setting)).collect();
        assert!(lines.len() == 1 && lines[0].contains(tasks), "{setting}: {finished}");
    }
    let silent = sandbox.run_commands(&trivial()).run().expect_code(0);
    assert!(!silent.stderr.contains("only a cluster"), "{silent}");
}

// The folder of invalid pipelines

#[test]
fn invalid_samples_are_refused_for_their_reason() {
    let folder = binary::samples().join("invalid");
    let mut seen = 0;
    for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())).flatten() {
        let path = entry.path();
        if path.as_os_str().as_bytes().ends_with(b".reason") {
            continue;
        }
        let reason = path.with_extension("reason");
        let reason = fs::read_to_string(&reason).unwrap_or_else(|error| panic!("{}: {error}", reason.display()));
        refused(&Sandbox::new(), &path, reason.trim());
        seen += 1;
    }
    assert!(seen > 0, "{} holds no pipelines", folder.display());
}
