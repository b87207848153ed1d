//! What lists can be narrowed and sorted by, and the columns behind that.

use std::borrow::Cow;

use penstock_spec::run::RunStatus;

use crate::database::Dialect;

/// A field of something that can be listed.
pub trait Field: Copy {
    /// What it holds, and so which operands it is compared with.
    fn kind(self) -> FieldKind;
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Free text ([`crate::Operand::Text`]).
    Text,
    /// A time ([`crate::Operand::Integer`], in nanoseconds since 1970).
    Time,
    /// An id ([`crate::Operand::Id`]).
    Id,
    /// A word of a closed list, such as a state ([`crate::Operand::Text`]).
    Word,
}

/// Fields of experiments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the members of Experiment")]
pub enum ExperimentField {
    Id,
    Name,
    CreatedAt,
    LastRunCreatedAt,
    Description,
    Namespace,
    StorageState,
}

/// Fields of pipelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the members of StoredPipeline")]
pub enum PipelineField {
    Id,
    Name,
    DisplayName,
    CreatedAt,
    Description,
    Namespace,
}

/// Fields of the versions of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the members of PipelineVersion")]
pub enum VersionField {
    Id,
    Name,
    DisplayName,
    CreatedAt,
    Description,
}

/// Fields of recurring runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the members of RecurringRun")]
pub enum RecurringRunField {
    Id,
    Name,
    CreatedAt,
    UpdatedAt,
    Description,
    Namespace,
    Experiment,
}

/// Fields of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunField {
    /// Identity.
    Id,
    /// The name for people.
    Name,
    /// When it was created.
    CreatedAt,
    /// The slot of the schedule that created it, or when it was created.
    ScheduledAt,
    /// When it ended.
    FinishedAt,
    /// Its description.
    Description,
    /// Available or archived.
    StorageState,
    /// Its namespace.
    Namespace,
    /// Its experiment.
    Experiment,
    /// The recurring run that created it.
    RecurringRun,
    /// The pipeline that it was made from.
    Pipeline,
    /// The version of that pipeline.
    Version,
    /// The word of its status. `CANCELING` while its termination waits to be carried out, `PENDING` while it has ended and
    /// its retry waits.
    State,
}

/// One of several conditions that stand for another one.
pub(crate) struct Branch {
    pub(crate) condition: String,
    /// Whether so few rows meet it that they are best found by it alone.
    pub(crate) is_few: bool,
}

/// The column behind a field.
pub(crate) trait Column: Field + PartialEq {
    /// The column, or an expression that is never NULL.
    fn expression(self) -> &'static str;

    /// Whether the case of ASCII letters makes no difference to it.
    fn is_folded(self) -> bool {
        self.kind() == FieldKind::Text && self.expression() != NAMESPACE
    }

    /// What lists are narrowed and sorted by.
    fn key(self, dialect: Dialect) -> Cow<'static, str> {
        if self.is_folded() { dialect.folded(self.expression()) } else { Cow::Borrowed(self.expression()) }
    }

    /// All that a field of [`FieldKind::Word`] can hold.
    fn words(self) -> &'static [&'static str] {
        &[]
    }

    /// The condition for a field of [`FieldKind::Word`] to be one of some of its words. No index is chosen for it alone.
    fn among(self, words: &[&'static str]) -> String {
        is_one_of(self.expression(), words)
    }

    /// The same as several conditions of which no two hold together, if each has an index that is in the order of `sort`.
    fn branches(self, _words: &[&'static str], _sort: Self) -> Option<Vec<Branch>> {
        None
    }

    /// Whether an index on it is better than any other, since few rows have the same value.
    fn is_narrow(self) -> bool {
        false
    }

    /// The column of the table of counts that has it too, if there is one.
    fn counted(self) -> Option<&'static str> {
        None
    }

    /// Whether rows count as something else than what is counted of them while they are unsettled ([`super::Counts`]).
    fn is_derived(self) -> bool {
        false
    }
}

/// The condition for a column to be one of some words.
pub(super) fn is_one_of(column: &str, words: &[&'static str]) -> String {
    format!("{column} IN ('{}')", words.join("', '"))
}

/// Compared to the letter, as nothing else is that users name.
const NAMESPACE: &str = "namespace";

const STORAGE_STATES: &[&str] = &["ARCHIVED", "AVAILABLE"];

impl Field for ExperimentField {
    fn kind(self) -> FieldKind {
        match self {
            Self::Id => FieldKind::Id,
            Self::Name | Self::Description | Self::Namespace => FieldKind::Text,
            Self::CreatedAt | Self::LastRunCreatedAt => FieldKind::Time,
            Self::StorageState => FieldKind::Word,
        }
    }
}

impl Column for ExperimentField {
    fn expression(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::CreatedAt => "created_at",
            Self::LastRunCreatedAt => "last_run_created_at",
            Self::Description => "description",
            Self::Namespace => NAMESPACE,
            Self::StorageState => "storage_state",
        }
    }

    fn words(self) -> &'static [&'static str] {
        if self == Self::StorageState { STORAGE_STATES } else { &[] }
    }
}

impl Field for PipelineField {
    fn kind(self) -> FieldKind {
        match self {
            Self::Id => FieldKind::Id,
            Self::Name | Self::DisplayName | Self::Description | Self::Namespace => FieldKind::Text,
            Self::CreatedAt => FieldKind::Time,
        }
    }
}

impl Column for PipelineField {
    fn expression(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::DisplayName => "display_name",
            Self::CreatedAt => "created_at",
            Self::Description => "description",
            Self::Namespace => NAMESPACE,
        }
    }
}

impl Field for VersionField {
    fn kind(self) -> FieldKind {
        match self {
            Self::Id => FieldKind::Id,
            Self::Name | Self::DisplayName | Self::Description => FieldKind::Text,
            Self::CreatedAt => FieldKind::Time,
        }
    }
}

impl Column for VersionField {
    fn expression(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::DisplayName => "display_name",
            Self::CreatedAt => "created_at",
            Self::Description => "description",
        }
    }
}

impl Field for RecurringRunField {
    fn kind(self) -> FieldKind {
        match self {
            Self::Id | Self::Experiment => FieldKind::Id,
            Self::Name | Self::Description | Self::Namespace => FieldKind::Text,
            Self::CreatedAt | Self::UpdatedAt => FieldKind::Time,
        }
    }
}

impl Column for RecurringRunField {
    fn expression(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "display_name",
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::Description => "description",
            Self::Namespace => NAMESPACE,
            Self::Experiment => "experiment_id",
        }
    }
}

/// The kind of the newest command of a run that nobody has taken; empty if there is none.
macro_rules! pending {
    () => {
        "COALESCE((SELECT kind FROM commands WHERE run_id = runs.id AND taken_at IS NULL \
          ORDER BY commands.id DESC LIMIT 1), '')"
    };
}

/// Whether it waits that the run be terminated. Nothing terminates a run that has ended.
macro_rules! terminating {
    () => {
        concat!("(finished_at IS NULL AND ", pending!(), " = 'terminate')")
    };
}

/// Whether it waits that the run be retried. Nothing retries a run that has not ended.
macro_rules! retrying {
    () => {
        concat!("(finished_at IS NOT NULL AND ", pending!(), " = 'retry')")
    };
}

impl Field for RunField {
    fn kind(self) -> FieldKind {
        match self {
            Self::Id | Self::Experiment | Self::RecurringRun | Self::Pipeline | Self::Version => FieldKind::Id,
            Self::Name | Self::Description | Self::Namespace => FieldKind::Text,
            Self::CreatedAt | Self::ScheduledAt | Self::FinishedAt => FieldKind::Time,
            Self::StorageState | Self::State => FieldKind::Word,
        }
    }
}

impl Column for RunField {
    fn expression(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "listed_name",
            Self::CreatedAt => "created_at",
            Self::ScheduledAt => "scheduled_at",
            Self::FinishedAt => "listed_finish",
            Self::Description => "description",
            Self::StorageState => "storage_state",
            Self::Namespace => NAMESPACE,
            Self::Experiment => "experiment_id",
            Self::RecurringRun => "recurring_run_id",
            Self::Pipeline => "pipeline_id",
            Self::Version => "version_id",
            Self::State => concat!(
                "CASE WHEN ",
                terminating!(),
                " THEN 'CANCELING' WHEN ",
                retrying!(),
                " THEN 'PENDING' ELSE status END"
            ),
        }
    }

    fn words(self) -> &'static [&'static str] {
        match self {
            Self::StorageState => STORAGE_STATES,
            Self::State => RUN_STATES,
            _ => &[],
        }
    }

    fn among(self, words: &[&'static str]) -> String {
        if self == Self::State { state_among(words) } else { is_one_of(self.expression(), words) }
    }

    fn branches(self, words: &[&'static str], sort: Self) -> Option<Vec<Branch>> {
        (self == Self::State && sort == Self::CreatedAt).then(|| state_branches(words))
    }

    fn is_narrow(self) -> bool {
        matches!(self, Self::Id | Self::Pipeline | Self::Version)
    }

    fn counted(self) -> Option<&'static str> {
        match self {
            Self::State => Some("status"),
            Self::Namespace | Self::Experiment | Self::StorageState => Some(self.expression()),
            _ => None,
        }
    }

    fn is_derived(self) -> bool {
        self == Self::State
    }
}

/// The condition that commands wait for a run.
const COMMANDED: &str = "id IN (SELECT run_id FROM commands WHERE taken_at IS NULL)";

const PENDING: &str = word_of(RunStatus::Pending);
const CANCELING: &str = word_of(RunStatus::Canceling);

/// All of [`RunStatus`].
const RUN_STATES: &[&str] = &[
    PENDING,
    word_of(RunStatus::Running),
    word_of(RunStatus::Succeeded),
    word_of(RunStatus::Skipped),
    word_of(RunStatus::Failed),
    CANCELING,
    word_of(RunStatus::Canceled),
    word_of(RunStatus::Paused),
];

/// The word as it is stored.
const fn word_of(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Pending => "PENDING",
        RunStatus::Running => "RUNNING",
        RunStatus::Succeeded => "SUCCEEDED",
        RunStatus::Skipped => "SKIPPED",
        RunStatus::Failed => "FAILED",
        RunStatus::Canceling => "CANCELING",
        RunStatus::Canceled => "CANCELED",
        RunStatus::Paused => "PAUSED",
    }
}

/// Commands that make a run count as another state.
const DERIVED: [(&str, &str); 2] = [(CANCELING, terminating!()), (PENDING, retrying!())];

/// Says it by the states that are not meant, so that no index is chosen whose rows would have to be sorted.
fn state_among(words: &[&'static str]) -> String {
    let others: Vec<&str> = RUN_STATES.iter().copied().filter(|word| !words.contains(word)).collect();
    let [(_, terminating), (_, retrying)] = DERIVED;
    let mut condition = format!("status NOT IN ('{}') AND NOT {terminating} AND NOT {retrying}", others.join("', '"));
    for (word, waits) in DERIVED {
        if words.contains(&word) {
            condition = format!("({condition}) OR {waits}");
        }
    }
    format!("({condition})")
}

/// Each state goes along the index of states; what only counts as a state is found by its command.
fn state_branches(words: &[&'static str]) -> Vec<Branch> {
    let [(_, terminating), (_, retrying)] = DERIVED;
    let stored = |word: &&str| format!("status = '{word}' AND NOT {terminating} AND NOT {retrying}");
    let mut branches: Vec<Branch> =
        words.iter().map(|word| Branch { condition: stored(word), is_few: false }).collect();
    for (word, waits) in DERIVED {
        if words.contains(&word) {
            // Commands that wait are few.
            branches.push(Branch { condition: format!("{COMMANDED} AND {waits}"), is_few: true });
        }
    }
    branches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::encode_word;

    #[test]
    fn words_are_those_that_are_stored() {
        for status in [
            RunStatus::Pending,
            RunStatus::Running,
            RunStatus::Succeeded,
            RunStatus::Skipped,
            RunStatus::Failed,
            RunStatus::Canceling,
            RunStatus::Canceled,
            RunStatus::Paused,
        ] {
            assert_eq!(word_of(status), encode_word(status));
            assert!(RUN_STATES.contains(&word_of(status)));
        }
    }
}
