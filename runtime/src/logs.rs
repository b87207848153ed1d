//! The process's log: one line an event on standard error, as text for people or as JSON for collectors.

use std::io::{self, IsTerminal};
use std::str::FromStr;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{FilterFn, LevelFilter, ParseError, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// Modules of the AWS SDK.
const AWS_SDK: &str = "aws_";
/// Where it looks for credentials in one place after the other.
const AWS_CREDENTIALS: [&str; 3] =
    ["aws_config::meta::credentials", "aws_config::meta::token", "aws_config::profile::credentials"];
/// Where the Kubernetes client follows its requests.
const KUBERNETES_REQUESTS: &str = "kube_client::client::builder";
/// Where the certificates of servers are looked at.
const CERTIFICATES: &str = "rustls_platform_verifier";

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
    let most = allowed(&parsed);
    let lines = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).finish().with(most).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).finish().with(most).try_init(),
    }
    .map_err(LogError::Twice)
}

/// What any log of ours may show at most, whatever its filter says: to be laid over it.
///
/// The AWS SDK shows the id of an access key, one of a profile at `info`, any at `debug` and `trace`; it may only warn
/// (T-07). That it finds no credentials it warns of by itself, and the Kubernetes client calls each request that fails an
/// error, as the verifier of certificates does with each that it refuses: all without a word on what it was for, which
/// whoever wanted something says. These lines are for those who ask for details.
pub fn allowed(filter: &EnvFilter) -> FilterFn<impl Fn(&Metadata<'_>) -> bool + use<>> {
    let most = filter.max_level_hint().unwrap_or(LevelFilter::TRACE);
    let is_allowed = move |metadata: &Metadata<'_>| {
        let level = *metadata.level();
        level <= most
            && (level <= Level::WARN || !metadata.target().starts_with(AWS_SDK))
            && (most >= LevelFilter::DEBUG
                || !(is_failed_request(metadata) || is_about_credentials(metadata) || is_refused_certificate(metadata)))
    };
    filter_fn(is_allowed).with_max_level_hint(most)
}

fn is_failed_request(metadata: &Metadata<'_>) -> bool {
    metadata.is_event() && *metadata.level() == Level::ERROR && metadata.target() == KUBERNETES_REQUESTS
}

fn is_refused_certificate(metadata: &Metadata<'_>) -> bool {
    metadata.is_event() && metadata.target().starts_with(CERTIFICATES)
}

fn is_about_credentials(metadata: &Metadata<'_>) -> bool {
    metadata.is_event() && AWS_CREDENTIALS.iter().any(|module| metadata.target().starts_with(module))
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
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    #[test]
    fn i31_a_bad_filter_or_format_is_named() {
        let error = init(LogFormat::Json, "info,what=ever=so").expect_err("no filter").to_string();
        assert!(error.contains("\"info,what=ever=so\""), "{error}");
        assert!("xml".parse::<LogFormat>().expect_err("no format").contains("\"xml\""));
        assert_eq!("json".parse(), Ok(LogFormat::Json));
    }

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written of some work with this filter.
    fn logged(filter: &str, work: impl FnOnce()) -> String {
        let (written, filter) = (Written::default(), EnvFilter::new(filter));
        let (writer, most) = (written.clone(), allowed(&filter));
        let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || writer.clone());
        tracing::subscriber::with_default(lines.with_ansi(false).finish().with(most), work);
        let bytes = written.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn t07_the_sdk_only_warns_however_much_is_asked_for() {
        for filter in ["trace", "info", "aws_config=trace,aws_sigv4=trace,penstock=debug"] {
            let text = logged(filter, || {
                tracing::info!(target: "aws_config::profile::credentials", "AKIDEXAMPLE");
                tracing::trace!(target: "aws_sigv4::http_request::sign", "AKIDEXAMPLE");
                tracing::warn!(target: "aws_config::imds", "no region");
                tracing::info!(target: "penstock", "ours");
            });
            assert!(text.contains("ours") && !text.contains("AKIDEXAMPLE"), "{filter}: {text}");
            assert!(text.contains("no region"), "{filter}: {text}");
        }
        let errors = logged("error", || tracing::warn!(target: "aws_config::imds", "no region"));
        assert_eq!(errors, "");
    }

    #[test]
    fn credentials_that_the_sdk_does_not_find_are_its_own_line_only_for_details() {
        let warn = || {
            let span = tracing::debug_span!(target: "aws_smithy_runtime::client", "lazy_load_identity");
            span.in_scope(|| {
                tracing::warn!(target: "aws_config::meta::credentials::chain", "provider failed to provide credentials");
            });
            tracing::warn!(target: "aws_config::profile::credentials", "failed to load base credentials");
        };
        for filter in ["warn", "info", "info,penstock=info"] {
            assert_eq!(logged(filter, warn), "", "{filter}");
        }
        for filter in ["debug", "warn,aws_config=debug"] {
            let text = logged(filter, warn);
            assert!(text.contains("provider failed") && text.contains("failed to load base"), "{filter}: {text}");
        }
    }
}
