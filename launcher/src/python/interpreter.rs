//! Interpreters of this machine: their version, and whether they have certain packages already.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;
use tokio::process::Command;

use super::packages::PackageGroup;
use crate::process::environment;

const INSPECT: &str = include_str!("inspect_packages.py");
/// A cold disk and a shim that looks around are slow; nothing is slower than this.
const LIMIT: Duration = Duration::from_secs(60);

/// An interpreter.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Interpreter {
    executable: PathBuf,
    version: String,
    sdk: Option<String>,
    site: Vec<String>,
    satisfied: bool,
    /// The packages that `satisfied` is about.
    #[serde(skip)]
    asked: Vec<PackageGroup>,
    /// What was started to find all this out.
    #[serde(skip)]
    program: String,
}

/// Why an interpreter cannot be used.
#[derive(Debug, Clone, Error)]
pub enum InterpreterError {
    /// It does not start.
    #[error("cannot start the Python interpreter {program:?}: {reason}; install Python 3, or name one with --python")]
    Start {
        /// What was started.
        program: String,
        /// Why.
        reason: String,
    },
    /// It does not answer as it should.
    #[error("the Python interpreter {program:?} cannot be used: {reason}; name another one with --python")]
    Answer {
        /// What was started.
        program: String,
        /// Why.
        reason: String,
    },
}

impl Interpreter {
    /// Path of the interpreter itself, behind links and shims.
    pub fn executable(&self) -> &Path {
        &self.executable
    }

    /// The name or path that it was started by.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Directory of the interpreter.
    pub fn bin_dir(&self) -> Option<PathBuf> {
        self.executable.parent().map(Path::to_owned)
    }

    /// Full version, with the implementation's name.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// `3.X`.
    pub fn minor_version(&self) -> String {
        let number = self.version.rsplit('-').next().unwrap_or_default();
        number.split('.').take(2).collect::<Vec<_>>().join(".")
    }

    /// Version of the `kfp` SDK that it has.
    pub fn sdk_version(&self) -> Option<&str> {
        self.sdk.as_deref()
    }

    /// Directories of its packages.
    pub fn site(&self) -> &[String] {
        &self.site
    }
}

/// Looks at an interpreter, and already for the packages that are likely to be asked for.
pub async fn probe(program: &str, likely: &[PackageGroup]) -> Result<Interpreter, InterpreterError> {
    inspect(program, likely).await
}

/// Whether an interpreter has all packages already, in fitting versions, with what they need.
pub async fn satisfies(interpreter: &Interpreter, groups: &[PackageGroup]) -> Result<bool, InterpreterError> {
    if groups.is_empty() {
        return Ok(true);
    }
    if groups == interpreter.asked {
        return Ok(interpreter.satisfied);
    }
    Ok(inspect(&interpreter.executable.to_string_lossy(), groups).await?.satisfied)
}

async fn inspect(program: &str, groups: &[PackageGroup]) -> Result<Interpreter, InterpreterError> {
    let wrong = |reason: String| InterpreterError::Answer { program: program.to_owned(), reason };
    let question = serde_json::to_string(groups).map_err(|error| wrong(error.to_string()))?;
    let mut command = Command::new(program);
    command
        .args(["-c", INSPECT, &question])
        .env_clear()
        .envs(environment::base(std::env::vars_os()))
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    let output = match tokio::time::timeout(LIMIT, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => {
            return Err(InterpreterError::Start { program: program.to_owned(), reason: error.to_string() });
        }
        Err(_) => return Err(wrong(format!("no answer within {} s", LIMIT.as_secs()))),
    };
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message");
        return Err(wrong(last.chars().take(300).collect()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    // Site customisations may print lines of their own before.
    let last = text.lines().last().unwrap_or_default();
    let answer: Interpreter =
        serde_json::from_str(last).map_err(|error| wrong(format!("unexpected answer: {error}")))?;
    Ok(Interpreter { asked: groups.to_vec(), program: program.to_owned(), ..answer })
}

/// The `3.X` of an image `python:3.X…`, in any registry.
pub fn version_of_image(image: &str) -> Option<String> {
    let (name, tag) = image.rsplit_once(':')?;
    if name.rsplit('/').next() != Some("python") {
        return None;
    }
    let number = tag.split('-').next()?;
    let mut parts = number.split('.');
    let (major, minor) = (parts.next()?, parts.next()?);
    let is_number = |text: &str| !text.is_empty() && text.len() < 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    (major == "3" && is_number(minor)).then(|| format!("{major}.{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_read_from_python_images_only() {
        for (image, expected) in [
            ("python:3.11", Some("3.11")),
            ("docker.io/library/python:3.9.2-slim", Some("3.9")),
            ("python:3", None),
            ("python", None),
            ("python:3.x", None),
            ("registry.example:5000/team/model:3.11", None),
        ] {
            assert_eq!(version_of_image(image).as_deref(), expected, "{image}");
        }
    }
}
