//! The page that `make conformance` writes.

use std::fmt::Write;

use super::corpus::Entry;
use super::trial::Outcome;

/// What the head of the page says about the corpus.
#[derive(Debug, Clone)]
pub struct Head {
    /// Commit of the corpus.
    pub commit: String,
    /// Day of the measurement.
    pub date: String,
    /// Version of the interpreter.
    pub python: String,
}

/// The page in Markdown.
pub fn render(head: &Head, results: &[(Entry, Outcome)]) -> String {
    let count = |is: fn(&Outcome) -> bool| results.iter().filter(|(_, outcome)| is(outcome)).count();
    let passed = count(|outcome| matches!(outcome, Outcome::Passed(_)));
    let refused = count(|outcome| matches!(outcome, Outcome::Refused(_)));
    let not_run = count(|outcome| matches!(outcome, Outcome::NotRun(_)));
    let deviates = count(|outcome| matches!(outcome, Outcome::Deviates(_)));
    let differs = count(|outcome| matches!(outcome, Outcome::Differs(_)));
    let mut page = format!(
        "# Kubeflow's own sample pipelines\n\n\
         Written by `make conformance CORPUS=<clone of kubeflow/pipelines>`; not edited by hand.\n\n\
         - Corpus: `test_data/sdk_compiled_pipelines` of kubeflow/pipelines at `{}`\n\
         - Date: {}\n\
         - Run by `penstock run --host-commands --no-cache` with Python {}\n\n\
         | result | pipelines |\n|---|---|\n\
         | ran, and ended as it should | {passed} |\n\
         | refused, as it should be | {refused} |\n\
         | accepted, and not run: needs what one machine does not have | {not_run} |\n\
         | ran, and one thing is otherwise than its author means it to be, on purpose | {deviates} |\n\
         | **differs**, unexplained | {differs} |\n\
         | all | {} |\n\n\
         Every pipeline is read and checked. One that needs a cluster, an image's own programs, or a store that this\n\
         machine cannot read is not run; the rules are in `tests/src/conformance/needs.rs`, facts about single samples\n\
         in `tests/conformance/settings.json`. What a run must give (outputs, lines of logs, the tasks that must fail\n\
         and of what) is in `tests/conformance/expected.json`, written by hand from the samples' sources; the other\n\
         runs are only known to have succeeded, and many samples check themselves.\n\n\
         | pipeline | result | |\n|---|---|---|\n",
        head.commit,
        head.date,
        head.python,
        results.len(),
    );
    for (entry, outcome) in results {
        let (result, note) = match outcome {
            Outcome::Passed(note) => ("passed", note),
            Outcome::Refused(note) => ("refused", note),
            Outcome::NotRun(note) => ("not run", note),
            Outcome::Deviates(note) => ("deviates", note),
            Outcome::Differs(note) => ("**differs**", note),
        };
        // Writing to a text cannot fail.
        let _ = writeln!(page, "| {} | {result} | {} |", cell(&entry.name), cell(note));
    }
    page
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('{', "&#123;")
}
