//! What a run is called and the states that runs and tasks can be in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::keys;
use crate::object_name::{MAX_OBJECT_NAME, has_form_of_label};
use crate::uri::split_query;

/// Identity and settings of a run, fixed when it is created.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunInfo {
    /// Identity.
    pub id: Uuid,
    /// Resource name: the pipeline's name and a random suffix; the value of `{{$.pipeline_job_resource_name}}`.
    pub name: String,
    /// Name for people; the value of `{{$.pipeline_job_name}}`.
    pub display_name: String,
    /// Name of the pipeline; scope of the cache.
    pub pipeline_name: String,
    /// Namespace; empty on a machine of its own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Pipeline root, such as `s3://bucket/prefix` or `file:///home/me/artifacts`, without a slash at the end.
    pub pipeline_root: String,
    /// When the run was created.
    pub created_at: Timestamp,
    /// The slot of the schedule that created the run; otherwise equal to `created_at`.
    pub scheduled_at: Timestamp,
    /// Whether results of earlier runs may be used at all.
    pub caching: bool,
    /// Directory that the run's tasks share, if its pipeline asks for one: of this machine, or on a cluster where the volume
    /// is mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
}

/// Who decided that a run takes no results from the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CacheOff {
    /// Whoever runs Penstock, for all runs.
    Deployment,
    /// The pipeline or its version, by a tag.
    Pipeline,
    /// Whoever submitted the run.
    Run,
}

/// What decides about a run's results from the cache, beside what its tasks say. Settled when the run is created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CacheRules {
    /// Who turned it off; nobody when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub off: Option<CacheOff>,
    /// Results that are older, in seconds, are not taken; any age will do when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<u64>,
}

impl CacheRules {
    /// Whether a result of this time is too old for a task that became ready at `ready`.
    pub fn is_too_old(&self, created_at: Timestamp, ready: Timestamp) -> bool {
        let Some(limit) = self.max_age_seconds else { return false };
        let age = ready.as_nanosecond().saturating_sub(created_at.as_nanosecond());
        age > i128::from(limit).saturating_mul(1_000_000_000)
    }
}

/// The name for people of a run that nobody gave one: its pipeline and when it was created.
pub fn default_display_name(pipeline_name: &str, created_at: Timestamp) -> String {
    format!("{pipeline_name} {}", created_at.strftime("%Y-%m-%d %H:%M:%S"))
}

impl RunInfo {
    /// `<pipeline root>/<pipeline name>/<run id>`: everything that the run stores is below it. A query on the
    /// pipeline root (`s3://b/p?region=x`) is not part of it.
    pub fn run_root(&self) -> String {
        let (root, _) = split_query(&self.pipeline_root);
        format!("{}/{}/{}", root.trim_end_matches('/'), self.pipeline_name, self.id)
    }

    /// Name of the volume claim that is the run's workspace on a cluster: KFP's, as far as objects may be called so. What
    /// tells runs of a pipeline apart stands at the end of their names.
    pub fn workspace_claim(&self) -> String {
        const LONGEST: usize = MAX_OBJECT_NAME - 1 - keys::VOLUME_WORKSPACE.len();
        let is_name = self.name.len() <= LONGEST && self.name.split('.').all(has_form_of_label);
        if is_name {
            return format!("{}-{}", self.name, keys::VOLUME_WORKSPACE);
        }
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let plain: Vec<char> = self.name.chars().map(plain).collect();
        let end: String = plain.iter().skip(plain.len().saturating_sub(LONGEST)).collect();
        match end.trim_matches('-') {
            "" => format!("{}-{}", self.id, keys::VOLUME_WORKSPACE),
            end => format!("{end}-{}", keys::VOLUME_WORKSPACE),
        }
    }

    /// Value of `{{$.workspace_path}}`.
    pub fn workspace_path(&self) -> &str {
        self.workspace.as_deref().unwrap_or(keys::WORKSPACE_PATH)
    }
}

/// States of a run, in KFP's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names are KFP's own")]
pub enum RunStatus {
    Pending,
    Running,
    Succeeded,
    Skipped,
    Failed,
    Canceling,
    Canceled,
    Paused,
}

/// States of a task, in KFP's words (`PipelineStateEnum`) where it has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskStatus {
    /// Waits for its dependencies, its place in a limit, or its next attempt.
    Pending,
    /// An attempt runs, or tasks within are at work.
    Running,
    /// Ended well; a cache hit counts.
    Succeeded,
    /// Did not run: its condition was false, or something it needs did not run.
    Skipped,
    /// Ended badly, or can never start because something it needs failed.
    Failed,
    /// Stopped because the run was cancelled.
    Canceled,
}

impl RunStatus {
    /// Whether nothing more can happen without a retry.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Skipped | Self::Failed | Self::Canceled)
    }
}

impl TaskStatus {
    /// Whether nothing more can happen without a retry of the run.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Skipped | Self::Failed | Self::Canceled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str) -> RunInfo {
        RunInfo {
            id: Uuid::from_u128(1),
            name: name.to_owned(),
            display_name: String::new(),
            pipeline_name: String::new(),
            namespace: "team".to_owned(),
            pipeline_root: "s3://b".to_owned(),
            created_at: Timestamp::UNIX_EPOCH,
            scheduled_at: Timestamp::UNIX_EPOCH,
            caching: true,
            workspace: Some(keys::WORKSPACE_PATH.to_owned()),
        }
    }

    #[test]
    fn claim_of_a_workspace_is_called_as_kfp_calls_it_where_objects_may_be_called_so() {
        assert_eq!(run("train-1a2b3").workspace_claim(), "train-1a2b3-kfp-workspace");
        assert_eq!(run("team.train-1a2b3").workspace_claim(), "team.train-1a2b3-kfp-workspace");
        assert_eq!(run("My_Train-1a2b3").workspace_claim(), "my-train-1a2b3-kfp-workspace");
        assert_eq!(run("ü").workspace_claim(), format!("{}-kfp-workspace", Uuid::from_u128(1)));
        let long = run(&format!("{}-1a2b3", "é_t".repeat(400))).workspace_claim();
        assert!(long.len() <= 253 && long.ends_with("t-1a2b3-kfp-workspace"), "{long}");
        assert!(long.split('.').all(has_form_of_label), "{long}");
    }

    #[test]
    fn results_grow_too_old_for_a_run_that_says_so() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (then, now) = (at("2026-08-01T10:00:00Z"), at("2026-08-01T11:00:00Z"));
        let rules = |max_age_seconds| CacheRules { off: None, max_age_seconds };
        assert!(!rules(None).is_too_old(then, now));
        assert!(!rules(Some(3600)).is_too_old(then, now));
        assert!(rules(Some(3599)).is_too_old(then, now));
        assert!(!rules(Some(0)).is_too_old(now, then), "clocks differ");
        assert!(!rules(Some(u64::MAX)).is_too_old(then, now));
    }
}
