//! The rules: what is told to whom. They stand in a [`mod@file`] of the operator's.

mod file;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use penstock_metastore::FeedChange;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::standing::Standing;
pub use file::RulesError;

/// The rules of a file.
#[derive(Debug, Default)]
pub struct NotificationRules(Vec<Arc<Rule>>);

/// A rule: where to send what.
pub struct Rule {
    /// Its name, under which its place is stored.
    pub(super) name: String,
    pub(super) url: Url,
    pub(super) secret: Secret,
    /// How long a notification is tried.
    pub(super) give_up_after: Duration,
    events: BTreeSet<Event>,
    namespaces: BTreeSet<String>,
    pipelines: BTreeSet<String>,
    experiments: BTreeSet<String>,
    states: BTreeSet<String>,
    pub(super) client: reqwest::Client,
    pub(crate) standing: Standing,
}

/// What can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) enum Event {
    /// A run was created.
    #[serde(rename = "run.created")]
    RunCreated,
    /// A run has another state.
    #[serde(rename = "run.state")]
    RunState,
    /// A run ended.
    #[serde(rename = "run.ended")]
    RunEnded,
    /// A run was deleted.
    #[serde(rename = "run.deleted")]
    RunDeleted,
    /// A task ended.
    #[serde(rename = "task.ended")]
    TaskEnded,
    /// A slot of a recurring run has no run, or one that was refused.
    #[serde(rename = "recurring_run.refused")]
    RecurringRunRefused,
}

impl Event {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::RunCreated => "run.created",
            Self::RunState => "run.state",
            Self::RunEnded => "run.ended",
            Self::RunDeleted => "run.deleted",
            Self::TaskEnded => "task.ended",
            Self::RecurringRunRefused => "recurring_run.refused",
        }
    }
}

/// What messages are signed with.
pub(super) struct Secret(pub(super) Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

impl NotificationRules {
    /// All of them.
    pub(crate) fn all(&self) -> &[Arc<Rule>] {
        &self.0
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The path of its URL may be a secret.
        formatter
            .debug_struct("Rule")
            .field("name", &self.name)
            .field("receiver", &self.origin())
            .finish_non_exhaustive()
    }
}

impl Rule {
    /// What the rule has to tell of a change, leaving aside its experiment.
    pub(super) fn event_of(&self, change: &FeedChange) -> Option<Event> {
        let event = *events_of(change).iter().find(|event| self.events.contains(event))?;
        let text = |name: &str| change.detail.get(name).and_then(Value::as_str).unwrap_or_default();
        let is_meant = |wanted: &BTreeSet<String>, found: &str| wanted.is_empty() || wanted.contains(found);
        let is_meant = is_meant(&self.namespaces, &change.namespace)
            && is_meant(&self.pipelines, text("pipeline_name"))
            && is_meant(&self.states, text("state"));
        is_meant.then_some(event)
    }

    /// Whether a change is of an experiment that the rule is for, as far as ids say.
    pub(super) fn is_of_experiment(&self, change: &FeedChange) -> bool {
        let is_named = |id: Uuid| self.experiments.contains(&id.to_string());
        self.experiments.is_empty() || experiment_of(change).is_some_and(is_named)
    }

    /// Whether the rule is for an experiment of this name.
    pub(super) fn names_experiment(&self, name: &str) -> bool {
        self.experiments.contains(name)
    }

    /// The rule's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where it sends to, without the path: that may be all that keeps others from sending there.
    pub(crate) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

/// States of runs and tasks.
const STATES: [&str; 8] = ["PENDING", "RUNNING", "SUCCEEDED", "SKIPPED", "FAILED", "CANCELING", "CANCELED", "PAUSED"];

/// What a change is, the narrowest first.
fn events_of(change: &FeedChange) -> &'static [Event] {
    match change.kind.as_str() {
        "run_created" => &[Event::RunCreated],
        "run_state" if change.detail.get("ended") == Some(&Value::Bool(true)) => &[Event::RunEnded, Event::RunState],
        "run_state" => &[Event::RunState],
        "run_deleted" => &[Event::RunDeleted],
        "task_ended" => &[Event::TaskEnded],
        "recurring_run_refused" => &[Event::RecurringRunRefused],
        _ => &[],
    }
}

/// The experiment of a change's run.
pub(super) fn experiment_of(change: &FeedChange) -> Option<Uuid> {
    change.detail.get("experiment_id")?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests;
