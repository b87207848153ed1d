//! `make conformance CORPUS=DIR`: runs foreign pipelines and writes `docs/conformance.md`. Ends with 1 when any of them
//! differs from what it should do.

use std::collections::VecDeque;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::Parser;
use penstock_spec::Timestamp;
use penstock_tests::conformance::corpus::{self, Entry};
use penstock_tests::conformance::page::{self, Head};
use penstock_tests::conformance::settings::Settings;
use penstock_tests::conformance::trial::{self, Outcome, Place};

/// Runs foreign pipelines and writes down what became of each
#[derive(Debug, Parser)]
struct Args {
    /// Clone of kubeflow/pipelines, or a folder of pipelines
    #[arg(long, value_name = "DIR")]
    corpus: PathBuf,
    /// Commit of the corpus [default: what git says about the folder]
    #[arg(long)]
    commit: Option<String>,
    /// Only pipelines whose path contains this; nothing is written then
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// File to write
    #[arg(long, value_name = "FILE", default_value = "docs/conformance.md")]
    output: PathBuf,
    /// Interpreter that has kfp
    #[arg(long, env = "PENSTOCK_TEST_PYTHON")]
    python: PathBuf,
    /// Where to keep the runs, for `penstock --data-dir DIR get` and `logs` [default: nowhere]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Pipelines at a time
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Most seconds for one pipeline
    #[arg(long, default_value_t = 900)]
    limit: u64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<bool, String> {
    let mut entries = corpus::entries(&args.corpus)
        .map_err(|error| format!("cannot list the pipelines below {}: {error}", args.corpus.display()))?;
    entries.retain(|entry| args.only.as_ref().is_none_or(|only| entry.name.contains(only)));
    if entries.is_empty() {
        return Err(format!("no pipelines below {}", args.corpus.display()));
    }
    let commit = args.commit.clone().or_else(|| commit_of(&args.corpus));
    let commit = commit.ok_or("the corpus is no git repository: give its commit with COMMIT=")?;
    let python = version_of(&args.python)?;

    let folder = tempfile::tempdir().map_err(|error| format!("cannot make a temporary folder: {error}"))?;
    let place = Place {
        data_dir: args.data_dir.clone().unwrap_or_else(|| folder.path().join("data")),
        home: std::env::var_os("HOME").map_or_else(|| folder.path().to_owned(), PathBuf::from),
        python: args.python.clone(),
        sdk: python.rsplit(' ').next().unwrap_or_default().to_owned(),
        limit: Duration::from_secs(args.limit),
    };
    let settings = Settings::read();
    if args.only.is_none() {
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        for name in settings.unused(&names) {
            say(&format!("warning: tests/conformance says something about {name}, which is not in the corpus"));
        }
    }
    let results = judge_all(entries, &settings, &place, args.jobs);
    let differs = results.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Differs(_))).count();
    say(&format!("{} pipelines, {differs} differ", results.len()));
    if args.only.is_none() {
        let date = Timestamp::now().to_string().chars().take(10).collect();
        let text = page::render(&Head { commit, date, python }, &results);
        if let Some(folder) = args.output.parent() {
            fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        }
        fs::write(&args.output, text).map_err(|error| format!("cannot write {}: {error}", args.output.display()))?;
    }
    Ok(differs == 0)
}

fn judge_all(entries: Vec<Entry>, settings: &Settings, place: &Place, jobs: usize) -> Vec<(Entry, Outcome)> {
    let waiting = Mutex::new(VecDeque::from(entries));
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some(entry) = take(&waiting) {
                    let outcome = trial::judge(&entry, settings, place);
                    say(&format!("{}: {outcome:?}", entry.name));
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((entry, outcome));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    results
}

fn take(waiting: &Mutex<VecDeque<Entry>>) -> Option<Entry> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

fn commit_of(corpus: &Path) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(corpus).args(["rev-parse", "HEAD"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn version_of(python: &Path) -> Result<String, String> {
    let script = "import platform, kfp; print(platform.python_version(), 'and kfp', kfp.__version__)";
    let output = Command::new(python).args(["-c", script]).output();
    match output {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        Ok(output) => Err(format!("{} has no kfp: {}", python.display(), String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(format!("cannot start {}: {error}", python.display())),
    }
}

fn say(line: &str) {
    // Progress that nobody reads is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{line}");
}
