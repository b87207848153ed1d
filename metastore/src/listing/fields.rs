//! What lists can be narrowed and sorted by, and the columns behind that.

use std::borrow::Cow;

use super::Listing;
use super::branches::Branches;
use crate::database::Dialect;

mod runs;

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

    /// The same list as several lists of which no two have a row in common, where each of these has an index that is in its
    /// order.
    fn branches(_listing: &Listing<Self>) -> Option<Branches> {
        None
    }

    /// What rows are sorted by, before their ids, that have the same in this field.
    fn then(self) -> Option<&'static str> {
        None
    }

    /// Whether lists that are sorted by it have an index that is in their order, whatever they are narrowed by.
    fn is_always_in_order(self) -> bool {
        true
    }

    /// Whether an index on it is better than any other, since few rows have the same value.
    fn is_narrow(self) -> bool {
        false
    }

    /// Whether a condition on it says no more than one on `other` does.
    fn follows_from(self, _other: Self) -> bool {
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
