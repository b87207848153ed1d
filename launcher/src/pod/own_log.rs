//! The sidecar's own log, on standard error.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::args::LogFormat;

/// Modules of the AWS SDK. They show the id of an access key: one of a profile at `info`, any at `debug` and `trace`
/// (T-07).
const SDK: &str = "aws_";
/// The most that they may log, whatever is asked for.
const SDK_LEVEL: LevelFilter = LevelFilter::WARN;

/// Sets it up, once in a process.
pub fn init(format: LogFormat, level: LevelFilter) {
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(false).finish().with(allowed(level)).init(),
        LogFormat::Json => log.json().finish().with(allowed(level)).init(),
    }
}

fn allowed(level: LevelFilter) -> Targets {
    Targets::new().with_default(level).with_target(SDK, level.min(SDK_LEVEL))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn t07_the_sdk_only_warns_however_much_is_asked_for() {
        let all = allowed(LevelFilter::TRACE);
        assert!(all.would_enable("penstock_launcher::pod", &Level::TRACE));
        assert!(all.would_enable("aws_config::profile::credentials", &Level::WARN));
        for target in
            ["aws_config::profile::credentials", "aws_sigv4::http_request::sign", "aws_smithy_runtime::client"]
        {
            assert!(!all.would_enable(target, &Level::INFO), "{target}");
        }
        let errors = allowed(LevelFilter::ERROR);
        assert!(!errors.would_enable("aws_config", &Level::WARN) && errors.would_enable("aws_config", &Level::ERROR));
    }
}
