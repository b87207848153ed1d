//! Flags about what runs take from the cache, and whom to tell what happens.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueHint};
use penstock_apiserver::CachePolicy;
use penstock_apiserver::notifications::NotificationRules;
use penstock_runtime::logs::chain;

use crate::failure::Refusal;

/// Longest age that makes sense to name.
const LONGEST_AGE: Duration = Duration::from_secs(3650 * 24 * 3600);

/// What runs take from the cache, and whom to tell what happens.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cache and notifications options")]
pub(crate) struct RecordsArgs {
    /// Let no run that is submitted take results from the cache, whatever it or its pipeline says
    #[arg(long, env = "PENSTOCK_NO_CACHE")]
    pub(crate) no_cache: bool,
    /// Age beyond which results are not taken from the cache, such as 12h or 7d
    #[arg(long, env = "PENSTOCK_CACHE_MAX_AGE", value_name = "DURATION", value_parser = parse_age)]
    pub(crate) cache_max_age: Option<Duration>,
    /// File (YAML or JSON) with the rules by which others are told what happens
    #[arg(long, env = "PENSTOCK_NOTIFICATIONS", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) notifications: Option<PathBuf>,
}

impl RecordsArgs {
    /// What the deployment says of the cache.
    pub(crate) fn cache(&self) -> CachePolicy {
        CachePolicy { off: self.no_cache, max_age: self.cache_max_age }
    }

    /// Reads the rules, if there are any.
    pub(crate) fn notification_rules(&self) -> Result<Option<Arc<NotificationRules>>, Refusal> {
        let Some(file) = &self.notifications else { return Ok(None) };
        match NotificationRules::load(file) {
            Ok(rules) => Ok(Some(Arc::new(rules))),
            Err(error) => Err(Refusal::new(format!("--notifications {}: {}", file.display(), chain(&error)))),
        }
    }
}

pub(super) fn parse_age(text: &str) -> Result<Duration, String> {
    let age = humantime::parse_duration(text).map_err(|error| format!("{error} (write 30m, 12h, 7d)"))?;
    if age > LONGEST_AGE {
        return Err("at most 10 years are possible".to_owned());
    }
    Ok(age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i31_odd_ages_are_refused() {
        assert_eq!(parse_age("7d"), Ok(Duration::from_secs(7 * 24 * 3600)));
        for text in ["", "-3s", "3", "soon", "11years"] {
            assert!(parse_age(text).is_err(), "{text}");
        }
    }
}
