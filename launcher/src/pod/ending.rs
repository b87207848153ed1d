//! How the user's process ended, and what that means for its attempt.

use penstock_entry::protocol::{EXIT_LAUNCHER_FAILED, End, ProcessEnd};
use penstock_spec::report::{Failure, FailureCause};

use crate::report::failure;

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

/// What the end of the user's process means.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// Well: its outputs count.
    Well,
    /// Badly, or never started: only its log is kept.
    Badly {
        /// Why.
        failure: Failure,
        /// The process's exit code, if it ran to an end.
        exit_code: Option<i32>,
        /// Whether the last line of its log tells more.
        show_log: bool,
    },
}

impl Ending {
    /// The process's exit code, if it ran to an end.
    pub fn exit_code(&self) -> Option<i32> {
        match self {
            Ending::Well => Some(0),
            Ending::Badly { exit_code, .. } => *exit_code,
        }
    }
}

/// Exit code of a process as a shell would say it; none if it never ran.
pub fn exit_code(end: &End) -> Option<i32> {
    match end {
        End::Code(code) => Some(*code),
        End::Signal(signal) => Some(128_i32.saturating_add(*signal)),
        End::NotStarted { .. } => None,
    }
}

/// What the end of a process that nobody here stopped means.
pub fn judge(end: &ProcessEnd) -> Ending {
    let badly = |cause, message: String, show_log| Ending::Badly {
        failure: failure(cause, message),
        exit_code: exit_code(&end.how),
        show_log,
    };
    match &end.how {
        End::Code(0) => Ending::Well,
        End::NotStarted { code, message } => {
            let cause = match *code {
                EXIT_LAUNCHER_FAILED => FailureCause::Infrastructure,
                _ => FailureCause::User,
            };
            badly(cause, format!("the process could not be started: {message}"), false)
        }
        End::Code(_) | End::Signal(_) if end.oom_kills > 0 => badly(
            FailureCause::User,
            format!(
                "OOMKilled: container main ran out of memory ({} processes were killed); {}; give the task more memory \
                 (set_memory_limit)",
                end.oom_kills,
                describe(&end.how)
            ),
            false,
        ),
        // The driver knows whether the Pod was deleted, evicted or preempted.
        how if end.terminated => {
            badly(FailureCause::Interrupted, format!("the Pod was asked to end, and {}", describe(how)), true)
        }
        how => badly(FailureCause::User, describe(how), true),
    }
}

fn describe(end: &End) -> String {
    match end {
        End::Code(code) => format!("the process exited with code {code}"),
        End::Signal(SIGKILL) => "the process was killed by SIGKILL".to_owned(),
        End::Signal(SIGTERM) => "the process was killed by SIGTERM".to_owned(),
        End::Signal(signal) => format!("the process was killed by signal {signal}"),
        End::NotStarted { message, .. } => format!("the process could not be started: {message}"),
    }
}
