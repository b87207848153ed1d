//! How a command ends badly: what is printed after `error:` and which exit code follows.

use std::fmt;
use std::process::ExitCode;

/// The run succeeded, or the command did what it was asked to do.
pub(crate) const SUCCEEDED: u8 = 0;
/// The run failed, or the command could not be carried out.
pub(crate) const FAILED: u8 = 1;
/// What was asked for makes no sense: bad arguments, a bad pipeline, a run that does not exist.
pub(crate) const USAGE: u8 = 2;
/// The run was cancelled.
pub(crate) const CANCELED: u8 = 3;

/// A refusal that the user can act on; ends with exit code [`USAGE`].
#[derive(Debug)]
pub(crate) struct Refusal {
    message: String,
    problems: Vec<String>,
    hint: Option<String>,
}

impl Refusal {
    /// A refusal for one reason.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), problems: Vec::new(), hint: None }
    }

    /// Adds the single problems, each shown on its own line.
    pub(crate) fn with_problems(mut self, problems: impl IntoIterator<Item = String>) -> Self {
        self.problems.extend(problems);
        self
    }

    /// Adds a line on what to do about it.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

/// An error together with a line on what to do about it; ends with exit code [`FAILED`].
#[derive(Debug)]
pub(crate) struct Hinted {
    message: String,
    hint: String,
}

impl Hinted {
    /// An error and what to do about it.
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hinted {}

/// Text for standard error: the chain joined once, the single problems, the hint.
pub(crate) fn describe(error: &anyhow::Error) -> String {
    let mut text = format!("error: {}", chain(error));
    let refusal = find::<Refusal>(error);
    for problem in refusal.into_iter().flat_map(|refusal| &refusal.problems) {
        text.push_str("\n  ");
        text.push_str(&problem.replace('\n', "\n  "));
    }
    let hinted = || find::<Hinted>(error).map(|hinted| hinted.hint.as_str());
    let hint = refusal.and_then(|refusal| refusal.hint.as_deref()).or_else(hinted);
    if let Some(hint) = hint {
        text.push_str("\nhint: ");
        text.push_str(hint);
    }
    crate::text::inert_lines(&text)
}

/// An error of a type among what was said of an error and what it came from.
fn find<E: std::error::Error + Send + Sync + 'static>(error: &anyhow::Error) -> Option<&E> {
    // What was added as context is not of its own type within the chain.
    error.downcast_ref::<E>().or_else(|| error.chain().find_map(|cause| cause.downcast_ref::<E>()))
}

/// The exit code that an error ends with.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(if find::<Refusal>(error).is_some() { USAGE } else { FAILED })
}

/// The messages of a chain of errors, joined by `: `. A message that repeats the end of the one before is left out.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let message = cause.to_string();
        if text.is_empty() {
            text = message;
        } else if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn chain_is_joined_once_and_the_hint_follows() {
        let inner: anyhow::Error = Refusal::new("parameter n is not a number").with_hint("give -p n=3").into();
        let error = Err::<(), _>(inner).context("cannot create the run").unwrap_err();
        assert_eq!(describe(&error), "error: cannot create the run: parameter n is not a number\nhint: give -p n=3");
        assert_eq!(exit_code(&error), ExitCode::from(USAGE));
    }

    #[test]
    fn hint_of_a_refusal_that_was_added_as_context_follows_too() {
        let refusal = Refusal::new("cannot create the run").with_hint("the pipeline takes no parameters");
        let error = anyhow::anyhow!("unknown parameter").context(refusal);
        let text = "error: cannot create the run: unknown parameter\nhint: the pipeline takes no parameters";
        assert_eq!((describe(&error).as_str(), exit_code(&error)), (text, ExitCode::from(USAGE)));
    }

    #[test]
    fn each_problem_has_its_own_line() {
        let error = Refusal::new("p.yaml is not a valid pipeline").with_problems(["root: a".into(), "root: b".into()]);
        assert_eq!(describe(&error.into()), "error: p.yaml is not a valid pipeline\n  root: a\n  root: b");
    }

    #[test]
    fn other_errors_end_with_one() {
        assert_eq!(exit_code(&anyhow::anyhow!("disk full")), ExitCode::from(FAILED));
    }
}
