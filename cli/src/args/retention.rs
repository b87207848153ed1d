//! Flags about how long runs are kept.

use std::time::Duration;

use clap::Args;
use penstock_apiserver::retention::RetentionPolicy;

use super::parse_duration;
use super::records::parse_age;

/// Shortest time between two passes: each looks at the store.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(60);

/// How long runs are kept.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Retention options")]
pub(crate) struct RetentionArgs {
    /// Archive runs that ended so long ago, such as 30d [default: none]
    #[arg(long, env = "PENSTOCK_RUNS_RETENTION_TIME", value_name = "DURATION", value_parser = parse_retention)]
    pub(crate) runs_retention_time: Option<Duration>,
    /// Delete runs that were archived so long ago, by this or by somebody, such as 90d. Artifacts and logs in the object
    /// store stay [default: none]
    #[arg(long, env = "PENSTOCK_ARCHIVED_RUNS_RETENTION_TIME", value_name = "DURATION", value_parser = parse_retention)]
    pub(crate) archived_runs_retention_time: Option<Duration>,
    /// Time between two looks for such runs
    #[arg(long, env = "PENSTOCK_RUNS_GC_INTERVAL", value_name = "DURATION", default_value = "6h",
          value_parser = parse_interval)]
    pub(crate) runs_gc_interval: Duration,
    /// Runs that are archived or looked for at a time, before others get their turn
    #[arg(long, env = "PENSTOCK_RUNS_GC_BATCH_SIZE", value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) runs_gc_batch_size: u32,
}

impl RetentionArgs {
    /// What is archived and deleted when; nothing, unless somebody says so.
    pub(crate) fn policy(&self) -> Option<RetentionPolicy> {
        let policy = RetentionPolicy {
            archive_after: self.runs_retention_time,
            delete_after: self.archived_runs_retention_time,
            interval: self.runs_gc_interval,
            batch: self.runs_gc_batch_size,
        };
        (policy.archive_after.is_some() || policy.delete_after.is_some()).then_some(policy)
    }
}

fn parse_retention(text: &str) -> Result<Duration, String> {
    let kept = parse_age(text)?;
    if kept < Duration::from_secs(1) {
        return Err("at least 1s is needed; leave it away to keep runs for good".to_owned());
    }
    Ok(kept)
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    if interval < SHORTEST_INTERVAL {
        return Err("at least 1m is needed".to_owned());
    }
    Ok(interval)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        retention: RetentionArgs,
    }

    fn parse(flags: &[&str]) -> Result<Option<RetentionPolicy>, String> {
        let parsed = Flags::try_parse_from(["penstock"].iter().chain(flags));
        parsed.map(|flags| flags.retention.policy()).map_err(|error| error.to_string())
    }

    #[test]
    fn runs_are_kept_for_good_unless_somebody_says_otherwise() {
        assert_eq!(parse(&[]), Ok(None));
        assert_eq!(parse(&["--runs-gc-interval", "1m"]), Ok(None));
        let day = Duration::from_secs(24 * 3600);
        let archived = RetentionPolicy {
            archive_after: Some(day * 30),
            delete_after: None,
            interval: Duration::from_secs(6 * 3600),
            batch: 100,
        };
        assert_eq!(parse(&["--runs-retention-time", "720h"]), Ok(Some(archived)));
        let deleted = RetentionPolicy { archive_after: None, delete_after: Some(day * 90), ..archived };
        assert_eq!(parse(&["--archived-runs-retention-time", "90d"]), Ok(Some(deleted)));
    }

    #[test]
    fn i31_odd_retentions_are_refused_by_the_name_of_the_flag() {
        for (flag, values) in [
            ("--runs-retention-time", ["0s", "0d", "-3s", "3", "", "11years", "10ms"].as_slice()),
            ("--archived-runs-retention-time", &["0s", "0d", "-3s", "3", "", "11years", "10ms"]),
            ("--runs-gc-interval", &["0s", "59s", "-1h", "soon", "", "8d"]),
            ("--runs-gc-batch-size", &["0", "-1", "1001", "many", "99999999999"]),
        ] {
            for value in values {
                let error = parse(&[&format!("{flag}={value}")]).unwrap_err();
                assert!(error.contains(flag), "{value}: {error}");
            }
        }
    }
}
