//! What became of one pipeline: read, checked, and run by the binary where it can run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use penstock_spec::check;
use penstock_spec::limits::Limits;
use serde_json::Value;

use super::corpus::{Entry, Promise};
use super::needs;
use super::settings::Settings;
use crate::binary;
use crate::document::RunDocument;
use crate::invocation::{Finished, Invocation};

/// Where a pipeline's log says that packages could not be installed.
const INSTALL_MARKS: [&str; 4] =
    ["No matching distribution", "pip install", "Could not find a version", "could not install"];
const LONGEST_REASON: usize = 300;

/// How a pipeline ended, for the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ran and ended as it should.
    Passed(String),
    /// It was refused as it should be, with this message.
    Refused(String),
    /// It is valid and was not run, for this reason.
    NotRun(String),
    /// Something is different from what it should be.
    Differs(String),
}

/// Where and how pipelines are run.
#[derive(Debug, Clone)]
pub struct Place {
    /// Data directory of all runs.
    pub data_dir: PathBuf,
    /// Home directory of all runs: pip keeps what it downloads there.
    pub home: PathBuf,
    /// Interpreter that has kfp.
    pub python: PathBuf,
    /// Most time for one pipeline.
    pub limit: Duration,
}

/// Judges one pipeline.
pub fn judge(entry: &Entry, settings: &Settings, place: &Place) -> Outcome {
    let bytes = match fs::read(&entry.path) {
        Ok(bytes) => bytes,
        Err(error) => return Outcome::Differs(format!("cannot be read: {error}")),
    };
    let loaded = check::load(&entry.name, &bytes, &Limits::default());
    match (entry.promise, loaded) {
        (Promise::Invalid, Err(error)) => Outcome::Refused(one_line(&error.to_string())),
        (Promise::Invalid, Ok(_)) => Outcome::Differs("is accepted, and should be refused".to_owned()),
        (_, Err(error)) => Outcome::Differs(format!("is refused: {}", one_line(&error.to_string()))),
        (promise, Ok(_)) => match needs::missing(&entry.name, &bytes, settings) {
            Some(reason) => Outcome::NotRun(reason),
            None => run(entry, promise, settings, place),
        },
    }
}

fn run(entry: &Entry, promise: Promise, settings: &Settings, place: &Place) -> Outcome {
    let folder = match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(error) => return Outcome::Differs(format!("there is no room for its run: {error}")),
    };
    let parameters = settings.parameters_of(&entry.name, folder.path());
    let file = folder.path().join("parameters.json");
    if let Err(error) = fs::write(&file, Value::Object(parameters).to_string()) {
        return Outcome::Differs(format!("its parameters cannot be written: {error}"));
    }
    let finished = match start(entry, place, &file).limit(place.limit).spawn().wait_within() {
        Ok(finished) => finished,
        Err(_) => return Outcome::Differs(format!("has not ended after {:?}", place.limit)),
    };
    let Ok(document) = serde_json::from_str::<RunDocument>(&finished.stdout) else {
        return Outcome::Differs(one_line(&finished.stderr));
    };
    let by_design = settings.fails_by_design.get(&entry.name);
    let must_fail = promise == Promise::Fails || by_design.is_some();
    match (finished.code(), must_fail) {
        (Some(0), false) => Outcome::Passed(format!("succeeded{}", what_ran(&document))),
        (Some(1), true) => Outcome::Passed(format!("failed as it should{}", what_ran(&document))),
        (Some(0), true) => Outcome::Differs("succeeds, and should fail".to_owned()),
        _ => failed(&document, &finished, place),
    }
}

fn start(entry: &Entry, place: &Place, parameters: &Path) -> Invocation {
    Invocation::new(&binary::penstock())
        .environment(&place.home, &place.data_dir)
        .python(&place.python)
        .args(["run", "-o", "json", "--host-commands", "--no-cache", "--params-file"])
        .arg(parameters)
        .arg(&entry.path)
}

fn what_ran(document: &RunDocument) -> String {
    let ran = document.tasks.iter().filter(|task| task.kind == "CONTAINER" && task.attempt.is_some()).count();
    let skipped = document.tasks.iter().filter(|task| task.kind == "CONTAINER" && task.state == "SKIPPED").count();
    let tasks = if ran == 1 { "task" } else { "tasks" };
    match skipped {
        0 => format!(", {ran} {tasks}"),
        _ => format!(", {ran} {tasks}, {skipped} skipped"),
    }
}

/// A failure that is the machine's, not Penstock's, is told apart by the task's error and its log.
fn failed(document: &RunDocument, finished: &Finished, place: &Place) -> Outcome {
    let error = document.error.clone().unwrap_or_else(|| finished.stderr.clone());
    let logs = Invocation::new(&binary::penstock())
        .environment(&place.home, &place.data_dir)
        .args(["logs", &document.run_id])
        .run();
    let about_packages = |text: &str| INSTALL_MARKS.iter().any(|mark| text.contains(mark));
    let tail = logs.stdout.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned();
    let reason = one_line(&format!("{error} ({tail})"));
    if about_packages(&error) || logs.stdout.contains("No matching distribution") {
        return Outcome::NotRun(format!("needs packages that cannot be installed here: {reason}"));
    }
    Outcome::Differs(format!("{}: {reason}", document.state))
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST_REASON) {
        Some((at, _)) => format!("{}...", line.get(..at).unwrap_or_default()),
        None => line,
    }
}
