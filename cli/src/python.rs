//! Compiles a pipeline written in Python with the user's own interpreter and `kfp` package.
//!
//! The file is imported as a module, so what stands under `if __name__ == "__main__"` does not run; a file that
//! compiles itself while it is imported does so, and it makes no difference here.

mod passing_line;

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::failure::{Hinted, Refusal};
use passing_line::with_line;

const SCRIPT: &str = include_str!("compile_pipeline.py");
/// Most that is kept of what the file prints.
const OUTPUT_LIMIT: usize = 256 * 1024;
/// Most that a compiled pipeline may have before it is even read; the specification's own limit is judged later.
const PACKAGE_LIMIT: u64 = 256 * 1024 * 1024;

/// What to compile and how.
#[derive(Debug)]
pub(crate) struct Compilation<'a> {
    /// The `.py` file.
    pub(crate) file: &'a Path,
    /// Name of the function, when the file has several.
    pub(crate) function: Option<&'a str>,
    /// Interpreter.
    pub(crate) python: &'a Path,
    /// Most time that it may take.
    pub(crate) timeout: Duration,
}

/// A compiled pipeline.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// Content of the YAML file, platform document included.
    pub(crate) package: Vec<u8>,
    /// What the file printed.
    pub(crate) printed: String,
}

/// What the script says about the end.
#[derive(Debug, Deserialize)]
struct Outcome {
    error: Option<Problem>,
    #[serde(default)]
    text: String,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    pipelines: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Problem {
    NoKfp,
    KfpBroken,
    Import,
    NoSuchFunction,
    Several,
    None,
    Compile,
}

/// The interpreter: the one asked for, else the one of the active virtual environment, else `python3`.
pub(crate) fn interpreter(asked: Option<PathBuf>, virtual_env: Option<PathBuf>) -> PathBuf {
    asked
        .or_else(|| virtual_env.map(|folder| folder.join("bin/python")).filter(|python| python.is_file()))
        .unwrap_or_else(|| PathBuf::from("python3"))
}

/// Compiles the file.
pub(crate) async fn compile(compilation: &Compilation<'_>) -> anyhow::Result<Compiled> {
    let Compilation { file, python, timeout, .. } = compilation;
    let absolute = std::fs::canonicalize(file)
        .map_err(|error| Refusal::new(format!("cannot read {}: {error}", file.display())))?;
    let folder = tempfile::tempdir().context("cannot create a temporary directory for the compiled pipeline")?;
    let package = folder.path().join("pipeline.yaml");
    let result = folder.path().join("result.json");
    let mut child = Command::new(python)
        .arg("-c")
        .arg(SCRIPT)
        .arg(&absolute)
        .arg(compilation.function.unwrap_or_default())
        .arg(&package)
        .arg(&result)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| no_interpreter(python, &error))?;
    let output = (child.stdout.take(), child.stderr.take());
    let everything = async { tokio::join!(child.wait(), read_bounded(output.0), read_bounded(output.1)) };
    // The first import of kfp takes long.
    let text = format!("compiling {} …", file.display());
    let everything = with_line(&text, tokio::time::timeout(*timeout, everything));
    let Ok((status, printed, complaints)) = everything.await else {
        // Dropping the child kills it.
        return Err(Refusal::new(format!(
            "{} did not compile within {}",
            file.display(),
            humantime::format_duration(*timeout)
        ))
        .with_hint("importing the file must not run the pipeline; allow more time with --compile-timeout")
        .into());
    };
    let status = status.with_context(|| format!("cannot wait for {}", python.display()))?;
    let outcome = std::fs::read(&result).ok().and_then(|bytes| serde_json::from_slice::<Outcome>(&bytes).ok());
    match outcome {
        Some(Outcome { error: None, .. }) => {
            let size = std::fs::metadata(&package).context("kfp wrote no package")?.len();
            if size > PACKAGE_LIMIT {
                return Err(Refusal::new(format!("{} compiles to {size} bytes", file.display())).into());
            }
            let package = std::fs::read(&package).context("cannot read the compiled pipeline")?;
            Ok(Compiled { package, printed: String::from_utf8_lossy(&printed).into_owned() })
        }
        Some(outcome) => Err(judge(compilation, &outcome).into()),
        None => Err(died(compilation, status, &complaints).into()),
    }
}

fn no_interpreter(python: &Path, error: &std::io::Error) -> Hinted {
    Hinted::new(
        format!("cannot start the Python interpreter {}: {error}", python.display()),
        "name the interpreter that has kfp installed with --python or PENSTOCK_PYTHON, or activate its virtual environment",
    )
}

fn judge(compilation: &Compilation<'_>, outcome: &Outcome) -> Refusal {
    let file = compilation.file.display();
    let python = compilation.python.display();
    let names = outcome.names.join(", ");
    let lines = || outcome.text.lines().map(str::to_owned).collect::<Vec<_>>();
    match outcome.error {
        Some(Problem::NoKfp) => Refusal::new(format!("cannot compile {file}: {python} has no package kfp")).with_hint(
            format!("install it with `{python} -m pip install kfp`, or name another interpreter with --python"),
        ),
        Some(Problem::KfpBroken) => {
            Refusal::new(format!("cannot compile {file}: the kfp package of {python} fails to import"))
                .with_problems(lines())
        }
        Some(Problem::Import) => Refusal::new(format!("cannot import {file}")).with_problems(lines()),
        Some(Problem::Compile) => Refusal::new(format!("cannot compile {file}")).with_problems(lines()),
        Some(Problem::NoSuchFunction) => {
            let function = compilation.function.unwrap_or_default();
            let refusal = Refusal::new(format!("{file} defines no pipeline or component {function}"));
            if names.is_empty() { refusal } else { refusal.with_hint(format!("it defines: {names}")) }
        }
        Some(Problem::Several) => {
            let kind = if outcome.pipelines { "pipelines" } else { "components" };
            Refusal::new(format!("{file} defines several {kind}: {names}")).with_hint("choose one with --function NAME")
        }
        Some(Problem::None) | None => Refusal::new(format!("{file} defines no pipeline"))
            .with_hint("decorate the function with @dsl.pipeline, at the top level of the file"),
    }
}

fn died(compilation: &Compilation<'_>, status: ExitStatus, complaints: &[u8]) -> Refusal {
    let text = String::from_utf8_lossy(complaints);
    let tail: Vec<String> = text.lines().rev().take(20).map(str::to_owned).collect();
    Refusal::new(format!(
        "cannot compile {}: {} ended with {status} before it was done",
        compilation.file.display(),
        compilation.python.display()
    ))
    .with_problems(tail.into_iter().rev())
}

/// Reads to the end and keeps the beginning.
async fn read_bounded(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut stream) = stream else { return kept };
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        let room = OUTPUT_LIMIT.saturating_sub(kept.len()).min(count);
        kept.extend(buffer.iter().take(room));
    }
    kept
}
