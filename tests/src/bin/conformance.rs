//! `make conformance CORPUS=DIR`: runs foreign pipelines on this machine and on a cluster, and writes `docs/conformance.md`.
//! Ends with 1 when any of them differs from what it should do.

use std::collections::VecDeque;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use penstock_spec::Timestamp;
use penstock_tests::cluster::{Cluster, IMAGE, Namespace};
use penstock_tests::conformance::corpus::{self, Entry};
use penstock_tests::conformance::page;
use penstock_tests::conformance::place::{Common, OnCluster, Place};
use penstock_tests::conformance::record::Record;
use penstock_tests::conformance::settings::Settings;
use penstock_tests::conformance::trial::{self, Outcome};

/// What the pipelines expect to find in their namespace.
const OBJECTS: &str = include_str!("../../conformance/namespace.json");

/// Runs foreign pipelines and writes down what became of each
#[derive(Debug, Parser)]
struct Args {
    /// Clone of kubeflow/pipelines, or a folder of pipelines
    #[arg(long, value_name = "DIR")]
    corpus: PathBuf,
    /// Commit of the corpus [default: what git says about the folder]
    #[arg(long)]
    commit: Option<String>,
    /// Where to run them [default: here, and on the cluster that PENSTOCK_TEST_IMAGE and KUBECONFIG name, if they do]
    #[arg(long, value_enum)]
    on: Vec<Where>,
    /// Only pipelines whose path contains one of these; what is known of the others stays
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// File to write
    #[arg(long, value_name = "FILE", default_value = "docs/conformance.md")]
    output: PathBuf,
    /// Where the results of each place are kept
    #[arg(long, value_name = "DIR", default_value = "tests/conformance/record")]
    records: PathBuf,
    /// Interpreter that has kfp
    #[arg(long, env = "PENSTOCK_TEST_PYTHON")]
    python: PathBuf,
    /// Where to keep the runs, for `penstock --data-dir DIR get` and `logs` [default: nowhere]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The cluster has Penstock already
    #[arg(long)]
    installed: bool,
    /// The cluster can fetch all images and packages that the pipelines name
    #[arg(long)]
    as_written: bool,
    /// Pipelines at a time [default: 2, and 4 on Kubernetes]
    #[arg(long)]
    jobs: Option<usize>,
    /// Most seconds for one pipeline
    #[arg(long, default_value_t = 900)]
    limit: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Where {
    /// Processes of this machine
    Machine,
    /// Pods
    Kubernetes,
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
    let is_chosen = |entry: &Entry| args.only.iter().any(|only| entry.name.contains(only));
    entries.retain(|entry| args.only.is_empty() || is_chosen(entry));
    if entries.is_empty() {
        return Err(format!("no pipelines below {}", args.corpus.display()));
    }
    let commit = args.commit.clone().or_else(|| commit_of(&args.corpus));
    let commit = commit.ok_or("the corpus is no git repository: give its commit with COMMIT=")?;
    let settings = Settings::read();
    if args.only.is_empty() {
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        for name in settings.unused(&names) {
            say(&format!("warning: tests/conformance says something about {name}, which is not in the corpus"));
        }
    }
    let mut differing = 0;
    for on in places(args) {
        let mut record = try_all(on, entries.clone(), &commit, &settings, args)?;
        say(&format!("{on:?}: {} pipelines, {} differ", record.outcomes.len(), record.differing()));
        differing += record.differing();
        let file = record_of(on, args);
        let known = Record::read(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        if let Some(known) = known.filter(|known| !args.only.is_empty() && known.commit == commit) {
            record.add_others(known);
        }
        record.write(&file).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    write_page(args)?;
    Ok(differing == 0)
}

fn places(args: &Args) -> Vec<Where> {
    match args.on.is_empty() {
        false => args.on.clone(),
        true if std::env::var_os(IMAGE).is_some_and(|image| !image.is_empty()) => {
            vec![Where::Machine, Where::Kubernetes]
        }
        true => vec![Where::Machine],
    }
}

/// Tries all pipelines in one place.
fn try_all(on: Where, entries: Vec<Entry>, commit: &str, settings: &Settings, args: &Args) -> Result<Record, String> {
    let python = version_of(&args.python)?;
    let sdk = python.rsplit(' ').next().unwrap_or_default().to_owned();
    let folder = tempfile::tempdir().map_err(|error| format!("cannot make a temporary folder: {error}"))?;
    let common = Common {
        data_dir: args.data_dir.clone().unwrap_or_else(|| folder.path().join("data")),
        home: std::env::var_os("HOME").map_or_else(|| folder.path().to_owned(), PathBuf::from),
        python: args.python.clone(),
        sdk: sdk.clone(),
        limit: Duration::from_secs(args.limit),
    };
    let (place, with) = match on {
        Where::Machine => {
            (Place::Machine(common), format!("`penstock run --host-commands --no-cache` with Python {python}"))
        }
        Where::Kubernetes => {
            let cluster = cluster(args)?;
            let namespace = Namespace::new(cluster, "conformance");
            let (code, said) = cluster.call_with_input(&["-n", namespace.name(), "apply", "-f", "-"], OBJECTS);
            if code != Some(0) {
                return Err(format!("cannot make what the pipelines expect in their namespace: {said}"));
            }
            let components = match args.as_written {
                true => "images and packages as written".to_owned(),
                false => format!("components that install kfp {sdk} in place of the version that they name"),
            };
            let with =
                format!("`penstock run --on kubernetes --no-cache` on Kubernetes {}, {components}", cluster.version());
            (Place::Kubernetes(common, OnCluster { cluster, namespace, as_written: args.as_written }), with)
        }
    };
    let jobs = args.jobs.unwrap_or(match on {
        Where::Machine => 2,
        Where::Kubernetes => 4,
    });
    let outcomes = judge_all(entries, settings, &place, jobs).into_iter().collect();
    let date = Timestamp::now().to_string().chars().take(10).collect();
    Ok(Record { commit: commit.to_owned(), date, with, outcomes })
}

fn cluster(args: &Args) -> Result<&'static Cluster, String> {
    let cluster = Cluster::from_environment().ok_or_else(|| {
        format!("{IMAGE} is not set: `make conformance ON=kubernetes` sets it where a cluster can be started")
    })?;
    if !args.installed {
        cluster.install();
    }
    Ok(Box::leak(Box::new(cluster)))
}

fn record_of(on: Where, args: &Args) -> PathBuf {
    args.records.join(match on {
        Where::Machine => "machine.json",
        Where::Kubernetes => "kubernetes.json",
    })
}

fn write_page(args: &Args) -> Result<(), String> {
    let record = |on| {
        let file = record_of(on, args);
        Record::read(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))
    };
    let text = page::render(record(Where::Machine)?.as_ref(), record(Where::Kubernetes)?.as_ref());
    if let Some(folder) = args.output.parent() {
        fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    }
    fs::write(&args.output, text).map_err(|error| format!("cannot write {}: {error}", args.output.display()))
}

fn judge_all(entries: Vec<Entry>, settings: &Settings, place: &Place, jobs: usize) -> Vec<(String, Outcome)> {
    let waiting = Mutex::new(VecDeque::from(entries));
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some(entry) = take(&waiting) {
                    let outcome = trial::judge(&entry, settings, place);
                    say(&format!("{}: {outcome:?}", entry.name));
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((entry.name, outcome));
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
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
