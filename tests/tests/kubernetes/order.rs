//! The order of tasks and the limit of a loop, by what the clock said in their Pods. The samples of the same names show
//! both by a directory of one machine.

use penstock_tests::document::RunDocument;
use penstock_tests::pipeline::{Pipeline, Task};
use serde_json::json;

use crate::scenario::Scenario;

/// Long enough that whole seconds tell tasks apart that run at the same time.
const WORK: &str = "start=$(date +%s); sleep 3; echo \"$start $(date +%s)\" > \"$1\"";

fn work(name: &str) -> Task {
    Task::new(name, WORK).output("times", "STRING")
}

/// Once for each item.
fn each(name: &str, items: &str) -> Task {
    work(name)
        .input_from("item", "NUMBER_INTEGER", json!({"componentInputParameter": "item"}))
        .each(json!({"raw": items}))
}

/// When a process started and when it ended, in seconds.
type Span = (u64, u64);

/// The spans of a task, one for each iteration if it is a loop.
fn spans(run: &RunDocument, name: &str) -> Vec<Span> {
    let tasks = run.tasks.iter().filter(|task| task.kind == "CONTAINER" && task.name == name);
    let span = |text: &str| {
        let mut seconds = text.split_whitespace().map(|word| word.parse().expect("a number"));
        seconds.next().zip(seconds.next()).expect("two numbers")
    };
    tasks.map(|task| span(task.parameters.outputs["times"].as_str().expect("a text"))).collect()
}

/// Most spans that have a second in common.
fn most_at_a_time(spans: &[Span]) -> usize {
    let at = |second: u64| spans.iter().filter(|(start, end)| (*start..*end).contains(&second)).count();
    spans.iter().map(|(start, _)| at(*start)).max().unwrap_or_default()
}

#[test]
fn a_loop_runs_as_many_iterations_at_a_time_as_it_may() {
    let Some(scenario) = Scenario::new("a_loop_runs_as_many_iterations_at_a_time_as_it_may") else { return };
    let pipeline = Pipeline::new("limit", [each("train", "[1, 2, 3, 4, 5, 6]").at_most(2)]);
    let run = scenario.run(&pipeline).run().expect_code(0).document();
    let spans = spans(&run, "train");
    assert_eq!((spans.len(), most_at_a_time(&spans)), (6, 2), "{spans:?}");
}

#[test]
fn what_is_after_a_loop_waits_for_all_of_it() {
    let Some(scenario) = Scenario::new("what_is_after_a_loop_waits_for_all_of_it") else { return };
    let pipeline = Pipeline::new(
        "after",
        [
            each("prepare", "[1, 2]"),
            each("train", "[1, 2]").after("prepare"),
            work("middle").after("train"),
            work("evaluate").after("middle").after("prepare"),
            each("test", "[1, 2]").after("middle"),
        ],
    );
    let run = scenario.run(&pipeline).run().expect_code(0).document();
    let all = |name| spans(&run, name);
    assert_eq!(["prepare", "train", "middle", "evaluate", "test"].map(|name| all(name).len()), [2, 2, 1, 1, 2]);
    for (first, second) in [("prepare", "train"), ("train", "middle"), ("middle", "evaluate"), ("middle", "test")] {
        let ended = all(first).iter().map(|(_, end)| *end).max();
        let started = all(second).iter().map(|(start, _)| *start).min();
        assert!(ended <= started, "{second} did not wait for {first}: {:?} {:?}", all(first), all(second));
    }
}
