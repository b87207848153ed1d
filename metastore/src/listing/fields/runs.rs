//! What lists of runs can be narrowed and sorted by. A run's state is derived: from its status, and from the command that
//! waits for it.

use penstock_spec::run::RunStatus;

use super::{Column, Field, FieldKind, NAMESPACE, RunField, STORAGE_STATES, is_one_of};
use crate::listing::Listing;
use crate::listing::branches::{Branch, Branches, narrowed};

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

    fn branches(listing: &Listing<Self>) -> Option<Branches> {
        let state = narrowed(listing, Self::State).filter(|(_, words)| !words.is_empty());
        let stored = narrowed(listing, Self::StorageState).map_or(STORAGE_STATES.to_vec(), |(_, words)| words);
        match (listing.sort, state) {
            (Self::CreatedAt, Some((place, words))) if words.len() < RUN_STATES.len() => {
                Some(Branches { instead_of: Some(place), branches: state_branches(&words, &stored) })
            }
            (Self::State, state) => {
                let (place, words) = state.map_or((None, RUN_STATES.to_vec()), |(place, words)| (Some(place), words));
                let branches = words.iter().flat_map(|word| {
                    let alike = state_branches(&[word], &stored).into_iter();
                    alike.map(|branch| Branch { all_have: Some(word), ..branch })
                });
                Some(Branches { instead_of: place, branches: branches.collect() })
            }
            (Self::Name | Self::FinishedAt, _) if stored.len() > 1 => {
                let branches = stored.iter().map(|stored| Branch::of(format!("storage_state = '{stored}'"))).collect();
                Some(Branches { instead_of: None, branches })
            }
            _ => None,
        }
    }

    fn then(self) -> Option<&'static str> {
        // As many have the same, those that were made together are better shown together; and there is such an index.
        (self == Self::State).then_some("created_at")
    }

    fn is_always_in_order(self) -> bool {
        matches!(self, Self::CreatedAt | Self::Id)
    }

    fn is_narrow(self) -> bool {
        matches!(self, Self::Id | Self::Pipeline | Self::Version | Self::RecurringRun)
    }

    fn follows_from(self, other: Self) -> bool {
        // An experiment lies in one namespace.
        self == Self::Namespace && other == Self::Experiment
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

/// Each state goes along the index of states, which has what is stored otherwise apart; what only counts as a state is found
/// by its command.
fn state_branches(words: &[&'static str], stored: &[&'static str]) -> Vec<Branch> {
    let [(_, terminating), (_, retrying)] = DERIVED;
    let mut branches = Vec::new();
    for word in words {
        for stored in stored {
            branches.push(Branch::of(format!(
                "storage_state = '{stored}' AND status = '{word}' AND NOT {terminating} AND NOT {retrying}"
            )));
        }
    }
    for (word, waits) in DERIVED {
        if words.contains(&word) {
            // Commands that wait are few.
            branches.push(Branch { is_few: true, ..Branch::of(format!("{COMMANDED} AND {waits}")) });
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
