//! What the cases came across. A property that never met a feature says nothing about it.

use std::collections::BTreeMap;

/// What a good number of cases has to come across.
pub(crate) const ALL: &[&str] = &[
    // Values.
    "artifact left out",
    "artifact missing",
    "constant with a placeholder",
    "default of a group",
    "default of a task",
    "null for an input that must have a value",
    "null of a group",
    "null output",
    "output missing",
    "parameter left out",
    "parameters refused",
    "selector",
    "selector fails",
    "skipped for want of an output",
    "undeclared input",
    "value of another type",
    // Triggers.
    "condition cannot be evaluated",
    "condition does not hold",
    "condition holds",
    "final status",
    "final status of a failed group",
    "final status of a failed task",
    "runs after a failure or skip",
    "skipped after a failure",
    "skipped after a skip",
    // Groups.
    "collected",
    "collected artifacts",
    "collected with gaps",
    "empty loop",
    "failed loop",
    "failed loop with a limit",
    "four levels",
    "item of another type",
    "loop",
    "loop at its limit",
    "loop in a loop",
    "loop over a parameter",
    "loop over artifacts",
    "loop over something else",
    "loop over the text of a list",
    "loop without its artifacts",
    "nested DAG",
    "one of",
    "one of none",
    "output of a DAG",
    "output of a skipped task",
    // Tasks.
    "cached task",
    "failed task",
    "import",
    "import failed",
    "retry",
    "retry by the policy of a group",
    // Rounds.
    "cached result that nobody wants",
    "kept iteration",
    "reopened group",
    "rerun",
    "rerun from a group",
    "rerun from a task",
    "rerun from an iteration",
    "rerun from several",
    "rerun from within a loop",
    "rerun of a run that succeeded",
    "rerun of a stopped run",
    "run canceled",
    "run failed",
    "run over its time",
    "run succeeded",
    // Events.
    "all capacity in use",
    "another capacity",
    "cancel",
    "contradiction",
    "crash",
    "crash after any fact",
    "crash within a commit",
    "foreign event",
    "interrupted attempt",
    "late event",
    "lost attempt",
    "repeated event",
    "stopped attempt ends by itself",
];

#[derive(Debug, Default, Clone)]
pub(crate) struct Features(pub(crate) BTreeMap<&'static str, u64>);

impl Features {
    pub(crate) fn note(&mut self, feature: &'static str) {
        *self.0.entry(feature).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Features) {
        for (feature, count) in &other.0 {
            *self.0.entry(feature).or_default() += count;
        }
    }

    /// What never happened.
    pub(crate) fn missing<'a>(&self, wanted: &[&'a str]) -> Vec<&'a str> {
        wanted.iter().filter(|feature| !self.0.contains_key(**feature)).copied().collect()
    }
}
