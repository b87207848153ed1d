//! What each resource can be sorted and filtered by, under the names that clients use.

use std::fmt::Debug;

use penstock_metastore::{ExperimentField, Field, PipelineField, RecurringRunField, RunField, VersionField};

/// Words of the store, and what is seen in their place.
pub type Words = &'static [(&'static str, &'static str)];

const fn run_states(canceled: &'static str) -> [(&'static str, &'static str); 8] {
    [
        ("PENDING", "PENDING"),
        ("RUNNING", "RUNNING"),
        ("SUCCEEDED", "SUCCEEDED"),
        ("SKIPPED", "SKIPPED"),
        ("FAILED", "FAILED"),
        ("CANCELED", canceled),
        ("CANCELING", "CANCELING"),
        ("PAUSED", "PAUSED"),
    ]
}

/// KFP's lists see a run that was stopped as one that failed.
const RUN_STATES: Words = &run_states("FAILED");
/// Penstock's own tell the two apart.
const SEARCHED_RUN_STATES: Words = &run_states("CANCELED");

/// The words that a search for runs goes by.
pub(super) fn searched_words(field: RunField) -> Words {
    if field == RunField::State { SEARCHED_RUN_STATES } else { field.shown_words() }
}

/// The fields of a resource that can be listed.
pub trait Listable: Field + Copy + Debug + PartialEq {
    /// The resource in error texts and tokens.
    const NAME: &'static str;
    /// What lists are sorted by when the request does not say.
    const DEFAULT: Self;
    /// Whether its items have tags.
    const HAS_TAGS: bool;
    /// The field of a name.
    fn by_key(key: &str) -> Option<Self>;

    /// Of a field that clients see in other words than the store keeps: each word of the store, and what is seen.
    fn shown_words(self) -> Words {
        &[]
    }
}

impl Listable for ExperimentField {
    const NAME: &'static str = "Experiment";
    const DEFAULT: Self = Self::CreatedAt;
    const HAS_TAGS: bool = false;

    fn by_key(key: &str) -> Option<Self> {
        Some(match key {
            "id" | "experiment_id" => Self::Id,
            "name" | "display_name" => Self::Name,
            "created_at" => Self::CreatedAt,
            "last_run_created_at" => Self::LastRunCreatedAt,
            "description" => Self::Description,
            "namespace" => Self::Namespace,
            "storage_state" => Self::StorageState,
            _ => return None,
        })
    }
}

impl Listable for PipelineField {
    const NAME: &'static str = "Pipeline";
    const DEFAULT: Self = Self::CreatedAt;
    const HAS_TAGS: bool = true;

    fn by_key(key: &str) -> Option<Self> {
        Some(match key {
            "id" | "pipeline_id" => Self::Id,
            "name" => Self::Name,
            "display_name" => Self::DisplayName,
            "created_at" => Self::CreatedAt,
            "description" => Self::Description,
            "namespace" => Self::Namespace,
            _ => return None,
        })
    }
}

impl Listable for VersionField {
    const NAME: &'static str = "PipelineVersion";
    const DEFAULT: Self = Self::CreatedAt;
    const HAS_TAGS: bool = true;

    fn by_key(key: &str) -> Option<Self> {
        Some(match key {
            "id" | "pipeline_version_id" => Self::Id,
            "name" => Self::Name,
            "display_name" => Self::DisplayName,
            "created_at" => Self::CreatedAt,
            "description" => Self::Description,
            _ => return None,
        })
    }
}

impl Listable for RecurringRunField {
    const NAME: &'static str = "Job";
    const DEFAULT: Self = Self::CreatedAt;
    const HAS_TAGS: bool = false;

    fn by_key(key: &str) -> Option<Self> {
        Some(match key {
            "id" | "recurring_run_id" => Self::Id,
            "name" | "display_name" => Self::Name,
            "created_at" => Self::CreatedAt,
            "updated_at" => Self::UpdatedAt,
            "description" => Self::Description,
            _ => return None,
        })
    }
}

impl Listable for RunField {
    const NAME: &'static str = "Run";
    const DEFAULT: Self = Self::CreatedAt;
    const HAS_TAGS: bool = false;

    fn by_key(key: &str) -> Option<Self> {
        Some(match key {
            "id" | "run_id" => Self::Id,
            "name" | "display_name" => Self::Name,
            "created_at" => Self::CreatedAt,
            "scheduled_at" => Self::ScheduledAt,
            "finished_at" => Self::FinishedAt,
            "description" => Self::Description,
            "storage_state" => Self::StorageState,
            "namespace" => Self::Namespace,
            "experiment_id" => Self::Experiment,
            "recurring_run_id" => Self::RecurringRun,
            "pipeline_id" => Self::Pipeline,
            "pipeline_version_id" => Self::Version,
            // Older clients compare with phases, which are the same words in another case.
            "state" | "status" => Self::State,
            _ => return None,
        })
    }

    fn shown_words(self) -> Words {
        if self == Self::State { RUN_STATES } else { &[] }
    }
}
