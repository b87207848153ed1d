//! What became of one pipeline: read, checked, and run by the binary where it can run.

use std::fs;
use std::path::PathBuf;

use penstock_spec::limits::Limits;
use penstock_spec::{check, package};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::TempDir;

use super::corpus::{Entry, Promise};
use super::expected::Expected;
use super::place::Place;
use super::settings::{Folders, Settings};
use super::{needs, stand_in};
use crate::document::RunDocument;

const LONGEST_REASON: usize = 400;

/// How a pipeline ended, for the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", content = "note", rename_all = "kebab-case")]
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
        (promise, Ok(_)) => match needs::missing(&entry.name, &bytes, &settings.needs, place) {
            Some(reason) => Outcome::NotRun(reason),
            None => run(entry, &bytes, promise, settings, place),
        },
    }
}

/// A refusal must be for the package's own fault, and the binary must say the same as the library.
fn refused(entry: &Entry, settings: &Settings, place: &Place, message: &str) -> Outcome {
    let Some(part) = settings.needs.refusals.get(&entry.name) else {
        return Outcome::Differs(format!("nothing says why it should be refused; it is with: {}", one_line(message)));
    };
    let finished = place.penstock().arg("run").arg(&entry.path).run();
    let said = one_line(&finished.stderr);
    if finished.code() != Some(2) {
        return Outcome::Differs(format!("ends with the exit code {:?}: {said}", finished.code()));
    }
    match said.contains(part) && one_line(message).contains(part) {
        true => Outcome::Refused(one_line(message)),
        false => Outcome::Differs(format!("is refused for another reason than {part:?}: {said}")),
    }
}

fn run(entry: &Entry, bytes: &[u8], promise: Promise, settings: &Settings, place: &Place) -> Outcome {
    let prepared = match Prepared::new(entry, bytes, settings, place) {
        Ok(prepared) => prepared,
        Err(error) => return Outcome::Differs(format!("cannot be prepared: {error}")),
    };
    let limit = place.common().limit;
    let start = place.start(&prepared.pipeline, &prepared.parameters).args(&prepared.arguments);
    let finished = match start.spawn().wait_within() {
        Ok(finished) => finished,
        Err(_) => return Outcome::Differs(format!("has not ended after {limit:?}")),
    };
    let Ok(document) = serde_json::from_str::<RunDocument>(&finished.stdout) else {
        return Outcome::Differs(one_line(&finished.stderr));
    };
    let known = settings.expected.get(&entry.name).cloned().unwrap_or_default();
    match compare(promise, finished.code(), &document, &known, place) {
        Outcome::Passed(note) => Outcome::Passed(note + &prepared.note),
        Outcome::Deviates(note) => Outcome::Deviates(note + &prepared.note),
        outcome => outcome,
    }
}

/// A pipeline that is ready to be run.
struct Prepared {
    pipeline: PathBuf,
    parameters: PathBuf,
    arguments: Vec<String>,
    /// What stands in for something else, for the page.
    note: String,
    _folder: TempDir,
}

impl Prepared {
    fn new(entry: &Entry, bytes: &[u8], settings: &Settings, place: &Place) -> std::io::Result<Prepared> {
        let folder = tempfile::tempdir()?;
        let temporary = match place {
            Place::Machine(_) => folder.path().to_string_lossy().into_owned(),
            // In its container a task may write anywhere.
            Place::Kubernetes(..) => "/tmp".to_owned(),
        };
        let folders = Folders { temporary, root: place.other_root(folder.path()) };
        let parameters = folder.path().join("parameters.json");
        fs::write(&parameters, Value::Object(settings.parameters_of(&entry.name, &folders)).to_string())?;
        let (pipeline, note) = match stand_ins(entry, bytes, settings, place) {
            Some((text, note)) => {
                let copy = folder.path().join("pipeline.yaml");
                fs::write(&copy, text)?;
                (copy, note)
            }
            None => (entry.path.clone(), String::new()),
        };
        let arguments = settings.arguments_of(&entry.name, &folders);
        Ok(Prepared { pipeline, parameters, arguments, note, _folder: folder })
    }
}

/// The text of a copy in which something stands in for what cannot be had, and what to say about it; `None` when the
/// pipeline runs as it is.
fn stand_ins(entry: &Entry, bytes: &[u8], settings: &Settings, place: &Place) -> Option<(String, String)> {
    let newer_sdk = settings.needs.newer_sdk.get(&entry.name);
    let text = || package::unpack(&entry.name, bytes, &Limits::default()).ok().map(|package| package.pipeline_text);
    let sdk = &place.common().sdk;
    match place {
        // What all components install is said once, in the page's head.
        Place::Kubernetes(_, on) if !on.as_written => {
            let stand_ins = &settings.needs.on_kubernetes.stand_ins;
            let (text, replaced) = stand_in::replace_images(&text()?, stand_ins);
            let note = if replaced.is_empty() { String::new() } else { format!("; with {}", replaced.join(", ")) };
            Some((stand_in::pin_sdk(&text, sdk), note))
        }
        _ => {
            let note = format!("; with kfp {sdk} in place of its own: {}", newer_sdk?);
            Some((stand_in::pin_sdk(&text()?, sdk), note))
        }
    }
}

fn compare(promise: Promise, code: Option<i32>, run: &RunDocument, known: &Expected, place: &Place) -> Outcome {
    let must_fail = known.has_failures();
    if promise == Promise::Fails && known.fails.is_none() {
        return Outcome::Differs("must fail, and nothing says of what".to_owned());
    }
    let as_it_should = if must_fail { Some(1) } else { Some(0) };
    let mut differences = known.differences(run, |task| place.log(run, task), |artifact| place.content(artifact));
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
