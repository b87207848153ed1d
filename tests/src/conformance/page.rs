//! The page that `make conformance` writes.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::record::Record;
use super::trial::Outcome;

/// Whether an outcome is of some kind.
type Is = fn(&Outcome) -> bool;

/// Rows of the summary.
const ROWS: [(&str, Is); 5] = [
    ("ran, and ended as it should", |outcome| matches!(outcome, Outcome::Passed(_))),
    ("refused, as it should be", |outcome| matches!(outcome, Outcome::Refused(_))),
    ("accepted, and not run: needs what is not there", |outcome| matches!(outcome, Outcome::NotRun(_))),
    ("ran, and one thing is otherwise than its author means it to be, on purpose", |o| {
        matches!(o, Outcome::Deviates(_))
    }),
    ("**differs**, unexplained", |outcome| matches!(outcome, Outcome::Differs(_))),
];

/// The page in Markdown; a place that was never tried has no record.
pub fn render(machine: Option<&Record>, kubernetes: Option<&Record>) -> String {
    let places = [("one machine", machine), ("Kubernetes", kubernetes)];
    let places: Vec<(&str, &Record)> = places.into_iter().filter_map(|(name, record)| Some((name, record?))).collect();
    let mut page = String::from(
        "# Kubeflow's own sample pipelines\n\n\
         Written by `make conformance CORPUS=<clone of kubeflow/pipelines>`; not edited by hand. Kubeflow's suites of API and\n\
         end to end are in [conformance-api.md](conformance-api.md).\n\n",
    );
    // Writing to a text cannot fail.
    for (name, record) in &places {
        let _ = writeln!(
            page,
            "- On {name}: `test_data/sdk_compiled_pipelines` of kubeflow/pipelines at `{}`, on {}, by {}",
            record.commit, record.date, record.with
        );
    }
    let names = || places.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" | ");
    let rule = "|---".repeat(places.len() + 1);
    let _ = writeln!(page, "\n| result | {} |\n{rule}|", names());
    for (what, is) in ROWS {
        let counts = counts(&places, is);
        let _ = writeln!(page, "| {what} | {counts} |");
    }
    let _ = writeln!(page, "| all that were tried | {} |", counts(&places, |_| true));
    page += "\n\
        Every pipeline is read and checked. One that needs what is not there (internet, an image's own programs, a store\n\
        that cannot be read) is not run; the rules are in `tests/src/conformance/needs.rs`, facts about single samples in\n\
        `tests/conformance/settings.json`. What a run must give (outputs, lines of logs, the tasks that must fail and of\n\
        what) is in `tests/conformance/expected.json`, written by hand from the samples' sources; the other runs are only\n\
        known to have succeeded, and many samples check themselves.\n\n";
    let _ = writeln!(page, "| pipeline | {} |\n{rule}|", names());
    let pipelines: BTreeSet<&String> = places.iter().flat_map(|(_, record)| record.outcomes.keys()).collect();
    for pipeline in pipelines {
        // Samples may be tried in parts.
        let cells = places
            .iter()
            .map(|(_, record)| record.outcomes.get(pipeline).map_or_else(|| "not tried".to_owned(), describe));
        let _ = writeln!(page, "| {} | {} |", cell(pipeline), cells.collect::<Vec<_>>().join(" | "));
    }
    page
}

fn counts(places: &[(&str, &Record)], is: Is) -> String {
    let count = |record: &Record| record.outcomes.values().filter(|outcome| is(outcome)).count().to_string();
    places.iter().map(|(_, record)| count(record)).collect::<Vec<_>>().join(" | ")
}

fn describe(outcome: &Outcome) -> String {
    let (result, note) = match outcome {
        Outcome::Passed(note) => ("passed", note),
        Outcome::Refused(note) => ("refused", note),
        Outcome::NotRun(note) => ("not run", note),
        Outcome::Deviates(note) => ("deviates", note),
        Outcome::Differs(note) => ("**differs**", note),
    };
    format!("{result}: {}", cell(note))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('{', "&#123;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn page_has_a_column_for_each_place_that_was_tried() {
        let record = |outcome| Record {
            commit: "c0ffee".to_owned(),
            date: "2026-01-01".to_owned(),
            with: "hand".to_owned(),
            outcomes: BTreeMap::from([("a.yaml".to_owned(), outcome)]),
        };
        let machine = record(Outcome::NotRun("needs a|cluster".to_owned()));
        let kubernetes = record(Outcome::Passed("1 task".to_owned()));
        let mut more = machine.clone();
        more.outcomes.insert("b.yaml".to_owned(), Outcome::Refused("no".to_owned()));
        assert!(render(Some(&more), Some(&kubernetes)).contains("\n| b.yaml | refused: no | not tried |\n"));
        let both = render(Some(&machine), Some(&kubernetes));
        assert!(both.contains("\n| a.yaml | not run: needs a\\|cluster | passed: 1 task |\n"), "{both}");
        assert!(both.contains("\n| ran, and ended as it should | 0 | 1 |\n"), "{both}");
        let one = render(Some(&machine), None);
        assert!(
            one.contains("\n| pipeline | one machine |\n|---|---|\n| a.yaml | not run: needs a\\|cluster |\n"),
            "{one}"
        );
    }
}
