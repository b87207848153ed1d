//! Cached environments: one per interpreter version and set of packages, made once and then only used.
//!
//! An environment is built in the directory where it stays, because programs that come with packages carry that path,
//! under a lock; it exists once the file that marks it complete does. Everything else found there is the rest of a
//! build that was cut short, and is thrown away.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use penstock_objectstore::content::{digest_of, format_digest};
use penstock_spec::report::FailureCause;
use serde_json::json;
use thiserror::Error;
use tokio::process::Command;
use tokio::time::Instant;

use super::interpreter::Interpreter;
use super::packages::PackageGroup;
use crate::process::environment;

const COMPLETE: &str = "penstock-complete";
/// Longest wait for another process that builds the same environment, and longest build.
const LIMIT: Duration = Duration::from_secs(30 * 60);
const LOCK_PAUSE: Duration = Duration::from_millis(100);
/// Excerpt of a build's log in a message.
const EXCERPT: usize = 600;

/// Why an environment could not be made.
#[derive(Debug, Error)]
pub enum EnvironmentError {
    /// A file or directory failed.
    #[error("cannot {operation} {path} for a Python environment")]
    File {
        /// What was attempted.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else builds it for too long.
    #[error("another process has been building the Python environment {path} for {} minutes", LIMIT.as_secs() / 60)]
    Busy {
        /// The environment.
        path: PathBuf,
    },
    /// A program of the build could not be started.
    #[error("cannot start {program:?} to make a Python environment")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A step of the build failed.
    #[error("{what} failed ({end}); the full output is in {log}; it ends with: {excerpt}")]
    Build {
        /// The step.
        what: String,
        /// How it ended.
        end: String,
        /// File of the output.
        log: PathBuf,
        /// The end of the output.
        excerpt: String,
    },
}

impl EnvironmentError {
    /// Installing packages is part of the task on a cluster, so its failure is the task's own there and here.
    pub fn cause(&self) -> FailureCause {
        match self {
            EnvironmentError::Build { .. } => FailureCause::User,
            EnvironmentError::File { .. } | EnvironmentError::Busy { .. } => FailureCause::Infrastructure,
            EnvironmentError::Start { .. } => FailureCause::Refused,
        }
    }
}

/// Identity of an environment: interpreter, packages, options, and whether the base's packages are seen too.
pub fn digest(base: &Interpreter, groups: &[PackageGroup], inherit: bool) -> String {
    let groups: Vec<PackageGroup> = groups
        .iter()
        .cloned()
        .map(|mut group| {
            group.requirements.sort();
            group
        })
        .collect();
    let key = json!({
        "format": 1,
        "python": base.version(),
        "executable": base.executable(),
        "packages": groups,
        "inherit": inherit,
    });
    let digest = format_digest(&digest_of(key.to_string().as_bytes()));
    digest.trim_start_matches("sha256:").chars().take(32).collect()
}

/// The interpreter of the environment with this digest; the environment is made if it does not exist.
pub async fn prepare(
    envs_dir: &Path,
    digest: &str,
    base: &Interpreter,
    groups: &[PackageGroup],
    inherit: bool,
    uv: Option<&Path>,
) -> Result<PathBuf, EnvironmentError> {
    let directory = envs_dir.join(digest);
    let python = directory.join("bin").join("python3");
    if is_complete(&directory) {
        return Ok(python);
    }
    tokio::fs::create_dir_all(envs_dir).await.map_err(file_error("create", envs_dir))?;
    let _lock = lock(&envs_dir.join(format!("{digest}.lock")), &directory).await?;
    if is_complete(&directory) {
        return Ok(python);
    }
    if directory.exists() {
        tokio::fs::remove_dir_all(&directory).await.map_err(file_error("remove", &directory))?;
    }
    let log = envs_dir.join(format!("{digest}.log"));
    tracing::info!(python = base.version(), "making a Python environment in {}", directory.display());
    let builder = Builder { directory: &directory, python: &python, base, log: &log, uv };
    builder.build(groups, inherit).await?;
    let marker = directory.join(COMPLETE);
    tokio::fs::write(&marker, b"").await.map_err(file_error("write", &marker))?;
    Ok(python)
}

fn is_complete(directory: &Path) -> bool {
    directory.join(COMPLETE).is_file()
}

fn file_error(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EnvironmentError {
    let path = path.to_owned();
    move |source| EnvironmentError::File { operation, path, source }
}

/// Locks a file; the kernel gives it back when its holder dies.
async fn lock(path: &Path, directory: &Path) -> Result<File, EnvironmentError> {
    let file = File::options().create(true).append(true).open(path).map_err(file_error("open", path))?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(file_error("lock", path)(source)),
            Err(TryLockError::WouldBlock) if started.elapsed() > LIMIT => {
                return Err(EnvironmentError::Busy { path: directory.to_owned() });
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_PAUSE).await,
        }
    }
}

struct Builder<'a> {
    directory: &'a Path,
    python: &'a Path,
    base: &'a Interpreter,
    log: &'a Path,
    uv: Option<&'a Path>,
}

impl Builder<'_> {
    async fn build(&self, groups: &[PackageGroup], inherit: bool) -> Result<(), EnvironmentError> {
        let base = self.base.executable();
        let mut create = match self.uv {
            Some(uv) => {
                let mut create = Command::new(uv);
                create.args(["venv", "--quiet", "--python"]).arg(base);
                create
            }
            None => {
                let mut create = Command::new(base);
                create.args(["-m", "venv"]);
                create
            }
        };
        create.arg(self.directory);
        self.run(create, "creating the environment".to_owned()).await?;
        for group in groups {
            self.run(self.install(group), format!("installing {}", group.requirements.join(", "))).await?;
        }
        if inherit { self.inherit().await } else { Ok(()) }
    }

    fn install(&self, group: &PackageGroup) -> Command {
        let mut install = match self.uv {
            Some(uv) => {
                let mut install = Command::new(uv);
                install.args(["pip", "install", "--index-strategy", "unsafe-best-match", "--python"]).arg(self.python);
                install
            }
            None => {
                let mut install = Command::new(self.python);
                install.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"]);
                install
            }
        };
        install.args(&group.options).arg("--").args(&group.requirements);
        install
    }

    /// Lets the environment see the base's packages behind its own.
    async fn inherit(&self) -> Result<(), EnvironmentError> {
        let library = self.directory.join("lib").join(format!("python{}", self.base.minor_version()));
        let file = library.join("site-packages").join("penstock_base.pth");
        let lines = self.base.site().join("\n");
        tokio::fs::write(&file, lines).await.map_err(file_error("write", &file))
    }

    async fn run(&self, mut command: Command, what: String) -> Result<(), EnvironmentError> {
        let log = File::options().create(true).append(true).open(self.log).map_err(file_error("open", self.log))?;
        let clone = log.try_clone().map_err(file_error("open", self.log))?;
        command
            .env_clear()
            .envs(environment::for_packages(std::env::vars_os()))
            .stdin(Stdio::null())
            .stdout(clone)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true);
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().map_err(|source| EnvironmentError::Start { program, source })?;
        let end = match tokio::time::timeout(LIMIT, child.wait()).await {
            Ok(Ok(status)) if status.success() => return Ok(()),
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no end within {} minutes", LIMIT.as_secs() / 60),
        };
        let excerpt = excerpt(self.log);
        Err(EnvironmentError::Build { what, end, log: self.log.to_owned(), excerpt })
    }
}

/// `uv`, where it is in PATH.
pub(super) fn find_uv() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join("uv")).find(|program| program.is_file())
}

fn excerpt(log: &Path) -> String {
    let text = std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.iter().rev().take(3).rev().copied().collect::<Vec<_>>().join(" / ");
    // Addresses of package indexes may hold a password.
    let shown = last.split_whitespace().map(without_credentials).collect::<Vec<_>>().join(" ");
    shown.chars().filter(|c| !c.is_control()).take(EXCERPT).collect()
}

/// `https://user:password@host` without what is before the `@`.
fn without_credentials(word: &str) -> String {
    match word.split_once("://") {
        Some((scheme, rest)) if rest.split('/').next().is_some_and(|authority| authority.contains('@')) => {
            let host = rest.split_once('@').map_or(rest, |(_, host)| host);
            format!("{scheme}://{host}")
        }
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t07_passwords_of_package_indexes_are_not_shown() {
        assert_eq!(without_credentials("https://me:secret@host/simple"), "https://host/simple");
        assert_eq!(without_credentials("https://host/simple@1"), "https://host/simple@1");
    }
}
