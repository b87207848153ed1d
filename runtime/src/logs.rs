//! The process's log: one line an event on standard error, as text for people or as JSON for collectors.

use std::io::{self, IsTerminal};
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            other => Err(format!("the log format {other:?} is not known: write text or json")),
        }
    }
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be understood.
    #[error("cannot read the log filter {filter:?}: write levels such as \"info\" or \"info,penstock_webhook=debug\"")]
    Filter {
        /// The filter.
        filter: String,
        /// Why.
        #[source]
        source: ParseError,
    },
    /// The process has a log already.
    #[error("the log is set up twice")]
    Twice(#[source] TryInitError),
}

/// Sets up the log of this process.
pub fn init(format: LogFormat, filter: &str) -> Result<(), LogError> {
    let parsed = EnvFilter::try_new(filter).map_err(|source| LogError::Filter { filter: filter.to_owned(), source })?;
    let lines = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).finish().try_init(),
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init(),
    }
    .map_err(LogError::Twice)
}

/// An error with its causes, for a line of the log. Those that repeat their cause are not repeated.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let next_text = next.to_string();
        if !text.contains(&next_text) {
            text = format!("{text}: {next_text}");
        }
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i31_a_bad_filter_or_format_is_named() {
        let error = init(LogFormat::Json, "info,what=ever=so").expect_err("no filter").to_string();
        assert!(error.contains("\"info,what=ever=so\""), "{error}");
        assert!("xml".parse::<LogFormat>().expect_err("no format").contains("\"xml\""));
        assert_eq!("json".parse(), Ok(LogFormat::Json));
    }
}
