//! For how long what a run has left in a cluster is kept, where its pipeline says so. Its history and logs are not among
//! that.

use std::num::NonZeroU32;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::platform::PipelineConfig;
use crate::run::RunStatus;

/// Seconds from the end of a run for which its Pods and its workspace are kept. Where nothing is said, the installation
/// decides about Pods, and a workspace stays until the run is deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Retention {
    /// However the run ended, unless one of the others says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_completion: Option<NonZeroU32>,
    /// When it succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_success: Option<NonZeroU32>,
    /// When it failed or was canceled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_failure: Option<NonZeroU32>,
}

impl Retention {
    /// What a pipeline says. What is not above zero is not said.
    pub fn of(config: &PipelineConfig) -> Retention {
        let seconds = |number: i32| u32::try_from(number).ok().and_then(NonZeroU32::new);
        Retention {
            after_completion: seconds(config.resource_ttl_on_completion),
            after_success: seconds(config.resource_ttl_on_success),
            after_failure: seconds(config.resource_ttl_on_failure),
        }
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Retention::default()
    }

    /// Seconds for a run that ended so.
    pub fn seconds(self, status: RunStatus) -> Option<NonZeroU32> {
        let own = match status {
            RunStatus::Succeeded | RunStatus::Skipped => self.after_success,
            RunStatus::Failed | RunStatus::Canceled => self.after_failure,
            RunStatus::Pending | RunStatus::Running | RunStatus::Canceling | RunStatus::Paused => return None,
        };
        own.or(self.after_completion)
    }

    /// Until when, for a run that ended so at that time.
    pub fn until(self, status: RunStatus, ended_at: Timestamp) -> Option<Timestamp> {
        let seconds = self.seconds(status)?.get();
        Some(ended_at.checked_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(Timestamp::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retention(completion: i32, success: i32, failure: i32) -> Retention {
        Retention::of(&PipelineConfig {
            resource_ttl_on_completion: completion,
            resource_ttl_on_success: success,
            resource_ttl_on_failure: failure,
            ..PipelineConfig::default()
        })
    }

    #[test]
    fn what_is_said_of_the_end_that_a_run_came_to_wins() {
        let seconds = |retention: Retention, status| retention.seconds(status).map(NonZeroU32::get);
        let all = retention(60, 10, 3600);
        assert_eq!(seconds(all, RunStatus::Succeeded), Some(10));
        assert_eq!(seconds(all, RunStatus::Failed), Some(3600));
        assert_eq!(seconds(all, RunStatus::Canceled), Some(3600), "as in KFP, where such a run has failed");
        assert_eq!(seconds(all, RunStatus::Running), None);
        let some = retention(60, 0, -1);
        assert_eq!((seconds(some, RunStatus::Succeeded), seconds(some, RunStatus::Failed)), (Some(60), Some(60)));
        assert_eq!(seconds(retention(0, 5, 0), RunStatus::Failed), None);
        assert!(retention(0, 0, 0).is_empty() && !some.is_empty());
    }

    #[test]
    fn time_is_counted_from_the_end_of_the_run_and_overflows_nothing() {
        let ended = Timestamp::from_second(1000).expect("in range");
        let until = |ended| retention(i32::MAX, 0, 30).until(RunStatus::Failed, ended);
        assert_eq!(until(ended).map(Timestamp::as_second), Some(1030));
        assert_eq!(until(Timestamp::MAX), Some(Timestamp::MAX));
        assert_eq!(retention(0, 0, 0).until(RunStatus::Failed, ended), None);
    }

    #[test]
    fn what_is_not_said_is_not_written() {
        assert_eq!(serde_json::to_string(&retention(0, 0, 7)).expect("JSON"), r#"{"afterFailure":7}"#);
        assert_eq!(serde_json::from_str::<Retention>("{}").expect("reads"), Retention::default());
    }
}
