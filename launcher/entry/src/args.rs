//! The command line and the environment of the entry.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::protocol::{CA_BUNDLE, ENV_CA_BUNDLE, ENV_CONNECT_SECONDS, ENV_HOLD_SECONDS, SOCKET, TERMINATION_LOG};

const CONNECT: Duration = Duration::from_secs(120);
const HOLD: Duration = Duration::from_secs(6 * 3600);
/// A century: more than anybody waits, and far from the end of the clock.
const MOST_SECONDS: u64 = 100 * 366 * 24 * 3600;

/// What the entry was called for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Print the version.
    Version,
    /// Be the first process of a container.
    Run(Box<Options>),
}

/// How to be the first process of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The launcher's socket.
    pub socket: PathBuf,
    /// Kubernetes' file for the last message.
    pub termination_log: PathBuf,
    /// How long to do without a launcher before the start.
    pub connect: Duration,
    /// How long to wait for the launcher after the process's end.
    pub hold: Duration,
    /// Certificates of authorities that the user's program is to trust beside those of its image.
    pub authorities: Option<PathBuf>,
    /// Where both are put together.
    pub all_authorities: PathBuf,
    /// The user's program and its arguments.
    pub argv: Vec<String>,
}

/// Why the command line cannot be followed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ArgsError {
    /// It is not ours.
    #[error(
        "{found}; penstock-entry is called as `penstock-entry [--socket PATH] [--termination-log PATH] [--ca-bundle PATH] \
         -- PROGRAM ARGS...`"
    )]
    Usage {
        /// What is wrong.
        found: String,
    },
    /// Kubernetes' arguments are text.
    #[error("cannot pass on the command line: {which} is not valid UTF-8: {value:?}")]
    NotText {
        /// Program or argument.
        which: String,
        /// As far as it can be shown.
        value: OsString,
    },
    /// A setting is not a number.
    #[error("cannot read the environment variable {name}: {value:?} is not a number of seconds")]
    Seconds {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: OsString,
    },
}

/// Reads the command line (without the program's own name) and the settings in the environment.
pub fn parse_args(
    args: impl IntoIterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Command, ArgsError> {
    let mut args = args.into_iter();
    let (mut socket, mut termination_log) = (PathBuf::from(SOCKET), PathBuf::from(TERMINATION_LOG));
    let mut all_authorities = PathBuf::from(CA_BUNDLE);
    loop {
        let Some(arg) = args.next() else { return Err(usage("there is no `--`".to_owned())) };
        let mut value =
            |name: &str| args.next().ok_or_else(|| usage(format!("{name} has no value"))).map(PathBuf::from);
        match arg.to_str() {
            Some("--version") => return Ok(Command::Version),
            Some("--socket") => socket = value("--socket")?,
            Some("--termination-log") => termination_log = value("--termination-log")?,
            Some("--ca-bundle") => all_authorities = value("--ca-bundle")?,
            Some("--") => break,
            _ => return Err(usage(format!("{arg:?} is not known here"))),
        }
    }
    let argv = args.enumerate().map(text).collect::<Result<Vec<_>, _>>()?;
    if argv.is_empty() {
        return Err(usage("there is no program after `--`".to_owned()));
    }
    let connect = seconds(ENV_CONNECT_SECONDS, &variable)?.unwrap_or(CONNECT);
    let hold = seconds(ENV_HOLD_SECONDS, &variable)?.unwrap_or(HOLD);
    let authorities = variable(ENV_CA_BUNDLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    let options = Options { socket, termination_log, connect, hold, authorities, all_authorities, argv };
    Ok(Command::Run(Box::new(options)))
}

fn usage(found: String) -> ArgsError {
    ArgsError::Usage { found }
}

fn text((index, value): (usize, OsString)) -> Result<String, ArgsError> {
    value.into_string().map_err(|value| {
        let which = if index == 0 { "the program".to_owned() } else { format!("argument {index}") };
        ArgsError::NotText { which, value }
    })
}

fn seconds(name: &'static str, variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Duration>, ArgsError> {
    let Some(value) = variable(name) else { return Ok(None) };
    match value.to_str().and_then(|text| text.parse::<u64>().ok()) {
        Some(seconds) => Ok(Some(Duration::from_secs(seconds.min(MOST_SECONDS)))),
        None => Err(ArgsError::Seconds { name, value }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn parse(args: &[&str]) -> Result<Command, ArgsError> {
        parse_args(args.iter().map(OsString::from), |_| None)
    }

    #[test]
    fn what_follows_the_dashes_is_the_program() {
        let Ok(Command::Run(options)) = parse(&["--socket", "/s", "--", "sh", "--socket", "--"]) else {
            panic!("not a run");
        };
        assert_eq!(options.argv, ["sh", "--socket", "--"]);
        assert_eq!(options.socket, PathBuf::from("/s"));
        assert_eq!((options.connect, options.hold), (CONNECT, HOLD));
    }

    #[test]
    fn wrong_calls_are_told_how_it_is_called() {
        for args in [&[][..], &["sh"], &["--socket"], &["--"], &["--socket", "--", "sh"]] {
            let error = parse(args).expect_err("refused").to_string();
            assert!(error.contains("-- PROGRAM ARGS"), "{args:?}: {error}");
        }
    }

    #[test]
    fn an_argument_that_is_no_text_is_named() {
        let args = ["--".into(), "sh".into(), OsString::from_vec(vec![b'a', 0xff])];
        let error = parse_args(args, |_| None).expect_err("refused").to_string();
        assert_eq!(error, r#"cannot pass on the command line: argument 1 is not valid UTF-8: "a\xFF""#);
    }

    #[test]
    fn limits_come_from_the_environment() {
        let args = ["--", "sh"].map(OsString::from);
        let with = |value: &str| parse_args(args.clone(), |name| (name == ENV_HOLD_SECONDS).then(|| value.into()));
        let Ok(Command::Run(options)) = with("7") else { panic!("not a run") };
        assert_eq!(options.hold, Duration::from_secs(7));
        assert!(with(&u64::MAX.to_string()).is_ok());
        let error = with("soon").expect_err("refused").to_string();
        assert!(error.contains(ENV_HOLD_SECONDS), "{error}");
    }
}
