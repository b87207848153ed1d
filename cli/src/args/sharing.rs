//! How one machine shares a database with others.

use std::time::Duration;

use clap::{Args, ValueHint};

use super::parse_duration;

/// Arguments of `penstock up` that concern other machines with the same database.
#[derive(Debug, Args)]
pub(crate) struct SharingArgs {
    /// Where artifacts of runs go that name no root: a directory, or s3://bucket/prefix. Machines that share a database go on
    /// with each other's runs if all of them reach it [default: artifacts/ in the data directory]
    #[arg(long, env = "PENSTOCK_ROOT", value_name = "DIR|URI", value_hint = ValueHint::DirPath)]
    pub(crate) root: Option<String>,
    /// Other machines with the same database take over this one's runs when it has been silent for so long. If it cannot
    /// reach the database, it stops their tasks when two thirds of that are over
    #[arg(long, env = "PENSTOCK_TAKEOVER_AFTER", value_name = "DURATION", default_value = "45s",
          value_parser = parse_takeover)]
    pub(crate) takeover_after: Duration,
}

/// What is shorter is taken for silence on a busy machine; what is longer, others do not wait for.
fn parse_takeover(text: &str) -> Result<Duration, String> {
    let (shortest, longest) = (Duration::from_secs(3), Duration::from_secs(300));
    match parse_duration(text)? {
        duration if (shortest..=longest).contains(&duration) => Ok(duration),
        _ => Err("it has to be between 3s and 5m".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i31_silence_that_says_nothing_or_never_ends_is_refused() {
        for text in ["0s", "2s", "6m", "1h", "long", ""] {
            assert!(parse_takeover(text).is_err(), "{text}");
        }
        assert_eq!(parse_takeover("3s"), Ok(Duration::from_secs(3)));
        assert_eq!(parse_takeover("5m"), Ok(Duration::from_secs(300)));
    }
}
