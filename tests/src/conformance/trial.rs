//! What became of one pipeline: read, checked, and run by the binary where it can run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use penstock_spec::check;
use penstock_spec::limits::Limits;
use serde_json::Value;

use super::corpus::{Entry, Promise};
use super::expected::Expected;
use super::needs;
use super::settings::Settings;
use crate::binary;
use crate::document::RunDocument;
use crate::invocation::Invocation;

/// What a version of the SDK follows where a component installs it.
const SDK_PIN: &str = "kfp==";
const LONGEST_REASON: usize = 400;

/// How a pipeline ended, for the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ran and ended as it should.
    Passed(String),
    /// It was refused as it should be, with this message.
    Refused(String),
    /// It is valid and was not run, for this reason.
    NotRun(String),
    /// It ran, and something is otherwise than its author means it to be, on purpose and for this reason.
    Deviates(String),
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
    /// Version of that kfp.
    pub sdk: String,
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
        (Promise::Invalid, Err(error)) => refused(entry, settings, place, &error.to_string()),
        (Promise::Invalid, Ok(_)) => Outcome::Differs("is accepted, and should be refused".to_owned()),
        (_, Err(error)) => Outcome::Differs(format!("is refused: {}", one_line(&error.to_string()))),
        (promise, Ok(_)) => match needs::missing(&entry.name, &bytes, &settings.needs) {
            Some(reason) => Outcome::NotRun(reason),
            None => run(entry, promise, settings, place),
        },
    }
}

/// A refusal must be for the package's own fault, and the binary must say the same as the library.
fn refused(entry: &Entry, settings: &Settings, place: &Place, message: &str) -> Outcome {
    let Some(part) = settings.needs.refusals.get(&entry.name) else {
        return Outcome::Differs(format!("nothing says why it should be refused; it is with: {}", one_line(message)));
    };
    let finished = penstock(place).arg("run").arg(&entry.path).run();
    let said = one_line(&finished.stderr);
    if finished.code() != Some(2) {
        return Outcome::Differs(format!("ends with the exit code {:?}: {said}", finished.code()));
    }
    match said.contains(part) && one_line(message).contains(part) {
        true => Outcome::Refused(one_line(message)),
        false => Outcome::Differs(format!("is refused for another reason than {part:?}: {said}")),
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
    let arguments = settings.arguments_of(&entry.name, folder.path());
    let newer_sdk = settings.needs.newer_sdk.get(&entry.name);
    let pipeline = match newer_sdk.map(|_| with_newer_sdk(&entry.path, folder.path(), place)) {
        None => entry.path.clone(),
        Some(Ok(path)) => path,
        Some(Err(error)) => return Outcome::Differs(format!("its SDK cannot be replaced: {error}")),
    };
    let finished = match start(&pipeline, place, &file).args(arguments).limit(place.limit).spawn().wait_within() {
        Ok(finished) => finished,
        Err(_) => return Outcome::Differs(format!("has not ended after {:?}", place.limit)),
    };
    let Ok(document) = serde_json::from_str::<RunDocument>(&finished.stdout) else {
        return Outcome::Differs(one_line(&finished.stderr));
    };
    let known = settings.expected.get(&entry.name).cloned().unwrap_or_default();
    match (compare(promise, finished.code(), &document, &known, place), newer_sdk) {
        (Outcome::Passed(note), Some(reason)) => {
            Outcome::Passed(format!("{note}; with kfp {} in place of its own: {reason}", place.sdk))
        }
        (outcome, _) => outcome,
    }
}

/// A copy whose components install the interpreter's SDK.
fn with_newer_sdk(pipeline: &Path, folder: &Path, place: &Place) -> std::io::Result<PathBuf> {
    let copy = folder.join("pipeline.yaml");
    fs::write(&copy, pin_sdk(&fs::read_to_string(pipeline)?, &place.sdk))?;
    Ok(copy)
}

/// The text with every pinned kfp replaced by another version.
fn pin_sdk(text: &str, version: &str) -> String {
    let mut parts = text.split(SDK_PIN);
    let mut replaced = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.');
        replaced += &format!("{SDK_PIN}{version}{rest}");
    }
    replaced
}

fn compare(promise: Promise, code: Option<i32>, run: &RunDocument, known: &Expected, place: &Place) -> Outcome {
    let must_fail = known.has_failures();
    if promise == Promise::Fails && known.fails.is_none() {
        return Outcome::Differs("must fail, and nothing says of what".to_owned());
    }
    let as_it_should = if must_fail { Some(1) } else { Some(0) };
    let mut differences = known.differences(run, |task| log_of(run, task, place));
    if code != as_it_should {
        differences.insert(0, format!("the run is {}, exit code {code:?}", run.state));
    }
    if !differences.is_empty() {
        return Outcome::Differs(one_line(&differences.join("; ")));
    }
    let what = what_ran(run, known);
    match (&known.deviates, &known.fails) {
        (Some(reason), _) => Outcome::Deviates(format!("{reason} ({what})")),
        (None, Some(reason)) => Outcome::Passed(format!("failed as it should: {reason} ({what})")),
        (None, None) => Outcome::Passed(what),
    }
}

fn penstock(place: &Place) -> Invocation {
    Invocation::new(&binary::penstock()).environment(&place.home, &place.data_dir).python(&place.python)
}

fn start(pipeline: &Path, place: &Place, parameters: &Path) -> Invocation {
    penstock(place)
        .args(["run", "-o", "json", "--host-commands", "--no-cache", "--params-file"])
        .arg(parameters)
        .arg(pipeline)
}

fn log_of(run: &RunDocument, task: &str, place: &Place) -> String {
    penstock(place).args(["logs", &run.run_id, task]).run().stdout
}

/// Such as `5 tasks, 2 of them as commands of this machine, 1 skipped; 7 values compared`.
fn what_ran(run: &RunDocument, known: &Expected) -> String {
    let containers = || run.tasks.iter().filter(|task| task.kind == "CONTAINER");
    let ran = containers().filter(|task| task.attempt.is_some()).count();
    let on_host = containers().filter(|task| task.ran_on_host).count();
    let skipped = containers().filter(|task| task.state == "SKIPPED").count();
    let mut text = format!("{ran} {}", if ran == 1 { "task" } else { "tasks" });
    if on_host > 0 {
        text += &format!(", {on_host} without the image");
    }
    if skipped > 0 {
        text += &format!(", {skipped} skipped");
    }
    match known.count() {
        0 => text,
        1 => text + "; 1 value compared",
        count => text + &format!("; {count} values compared"),
    }
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST_REASON) {
        Some((at, _)) => format!("{}...", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pinned_sdk_is_replaced_and_nothing_else() {
        let text = "pip install 'kfp==2.14.3' 'yapf==1.0' && pip install 'kfp==2.1.3rc1'";
        let wanted = "pip install 'kfp==2.17.0' 'yapf==1.0' && pip install 'kfp==2.17.0'";
        assert_eq!(pin_sdk(text, "2.17.0"), wanted);
        assert_eq!(pin_sdk("nothing", "2.17.0"), "nothing");
    }
}
