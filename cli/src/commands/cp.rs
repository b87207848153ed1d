//! `penstock cp`: copies an artifact out of a run, its digest checked.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use penstock_engine::RunState;
use penstock_objectstore::Downloaded;
use penstock_spec::artifact::Artifact;
use penstock_spec::report::TaskOutputs;

use crate::args::CpArgs;
use crate::context::Context;
use crate::failure::{self, Refusal};
use crate::opened::OpenRun;
use crate::progress::Stream;
use crate::remote::artifacts::{self, Copied};
use crate::remote::client::Client;
use crate::selection::select_one;
use crate::text::{inert, size};

/// Copies.
pub(crate) async fn cp(context: &Context, args: CpArgs) -> anyhow::Result<ExitCode> {
    let CpArgs { source, destination, place: _ } = args;
    let source = Source::parse(&source)?;
    let opened = OpenRun::find(context, source.run).await?;
    let feed = opened.feed_from_now().await?;
    let artifact = find(feed.state(), &source)?.clone();
    opened.close().await;
    let from = feed.client().map_or(From::Stores(context), From::Server);
    if destination == Path::new("-") {
        to_standard_output(&from, &artifact).await?;
    } else {
        to_file(&from, &artifact, &destination).await?;
    }
    Ok(ExitCode::from(failure::SUCCEEDED))
}

/// Where the bytes come from.
enum From<'a> {
    /// The stores that runs of this machine use.
    Stores(&'a Context),
    /// The server that carried the run out.
    Server(&'a Client),
}

/// RUN/TASK/ARTIFACT in its parts. A task's path may contain slashes.
#[derive(Debug, PartialEq)]
struct Source<'a> {
    run: &'a str,
    task: Option<&'a str>,
    artifact: &'a str,
    index: Option<usize>,
}

impl<'a> Source<'a> {
    fn parse(text: &'a str) -> Result<Source<'a>, Refusal> {
        let bad = || {
            Refusal::new(format!("{} does not name an artifact", inert(text))).with_hint(
                "write RUN/TASK/ARTIFACT, such as latest/train/model, or RUN/ARTIFACT for an output of the pipeline",
            )
        };
        let (run, rest) = text.split_once('/').ok_or_else(bad)?;
        let (task, artifact) = match rest.rsplit_once('/') {
            Some((task, artifact)) => (Some(task), artifact),
            None => (None, rest),
        };
        let (artifact, index) = match artifact.strip_suffix(']').and_then(|text| text.rsplit_once('[')) {
            Some((artifact, index)) => (artifact, Some(index.parse().map_err(|_| bad())?)),
            None => (artifact, None),
        };
        if run.is_empty() || artifact.is_empty() || task.is_some_and(str::is_empty) {
            return Err(bad());
        }
        Ok(Source { run, task, artifact, index })
    }
}

fn find<'a>(state: &'a RunState, source: &Source<'_>) -> Result<&'a Artifact, Refusal> {
    let (whose, outputs): (String, Option<&TaskOutputs>) = match source.task {
        Some(task) => {
            let id = select_one(state, task)?;
            (format!("task {}", inert(task)), state.node(id).map(|view| view.outputs()))
        }
        None => ("the pipeline".to_owned(), state.outputs()),
    };
    let artifacts = outputs.map(|outputs| &outputs.artifacts).filter(|artifacts| !artifacts.is_empty());
    let Some(artifacts) = artifacts else {
        return Err(Refusal::new(format!("{whose} has no output artifacts, or has not succeeded")));
    };
    let Some(list) = artifacts.get(source.artifact) else {
        let names: Vec<String> = artifacts.keys().map(|name| inert(name)).collect();
        return Err(Refusal::new(format!("{whose} has no output artifact {}", inert(source.artifact)))
            .with_hint(format!("it has: {}", names.join(", "))));
    };
    match (list.as_slice(), source.index) {
        ([only], None) => Ok(only),
        (several, None) => Err(Refusal::new(format!("{} is a list of {} artifacts", source.artifact, several.len()))
            .with_hint(format!("name one: {}[0]", source.artifact))),
        (several, Some(index)) => several.get(index).ok_or_else(|| {
            Refusal::new(format!("{} has {} artifacts, none with index {index}", source.artifact, several.len()))
        }),
    }
}

async fn to_file(from: &From<'_>, artifact: &Artifact, destination: &Path) -> anyhow::Result<()> {
    let target = target(artifact, destination)?;
    let found = download(from, artifact, &target).await?;
    let what = match &artifact.content {
        Some(content) if content.directory => format!("{} files, {}", content.files, size(content.size)),
        Some(content) => size(content.size),
        None => found,
    };
    Stream::Err.print(&format!("{} ({what})\n", target.display()));
    Ok(())
}

/// An existing directory takes the artifact under its own name, as `cp` does.
fn target(artifact: &Artifact, destination: &Path) -> Result<PathBuf, Refusal> {
    if !destination.is_dir() {
        return Ok(destination.to_owned());
    }
    let last = artifact.uri.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    // The name comes from user code: it must not lead anywhere else (T-02).
    if last.is_empty() || last == "." || last == ".." || last.contains('\0') {
        return Err(Refusal::new(format!("the artifact has no name of its own to use in {}", destination.display()))
            .with_hint("name the file or directory to write"));
    }
    let target = destination.join(last);
    if target.is_dir() {
        return Err(Refusal::new(format!("{} exists already", target.display())));
    }
    Ok(target)
}

async fn download(from: &From<'_>, artifact: &Artifact, target: &Path) -> anyhow::Result<String> {
    let transfer = match from {
        From::Stores(context) => context.transfer()?,
        From::Server(client) => {
            let copied = artifacts::download(client, artifact, target).await;
            return match copied.with_context(|| format!("cannot copy {}", inert(&artifact.uri)))? {
                Copied::File => Ok("a file".to_owned()),
                Copied::Directory => Ok("a directory".to_owned()),
            };
        }
    };
    let downloaded = transfer
        .download(&artifact.uri, artifact.content.as_ref(), target)
        .await
        .with_context(|| format!("cannot copy {}", inert(&artifact.uri)))?;
    match downloaded {
        Downloaded::Nothing => Err(Refusal::new(format!("nothing is stored under {}", inert(&artifact.uri)))
            .with_hint("what an artifact holds besides content is in `penstock get -o json` (metadata)")
            .into()),
        Downloaded::File(_) => Ok("a file".to_owned()),
        Downloaded::Directory(_) => Ok("a directory".to_owned()),
    }
}

async fn to_standard_output(from: &From<'_>, artifact: &Artifact) -> anyhow::Result<()> {
    if artifact.content.as_ref().is_some_and(|content| content.directory) {
        return Err(Refusal::new("a directory cannot be written to standard output")
            .with_hint("name a directory to write")
            .into());
    }
    // By way of a file, so that nothing is passed on before its digest is known to be right.
    let folder = tempfile::tempdir().context("cannot create a temporary directory")?;
    let path = folder.path().join("artifact");
    download(from, artifact, &path).await?;
    if path.is_dir() {
        return Err(Refusal::new("a directory cannot be written to standard output").into());
    }
    let mut file = std::fs::File::open(&path).context("cannot read the copy")?;
    match std::io::copy(&mut file, &mut std::io::stdout().lock()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_has_a_run_a_path_and_a_name() {
        let source = |run, task, artifact, index| Source { run, task, artifact, index };
        assert_eq!(Source::parse("latest/train/model").unwrap(), source("latest", Some("train"), "model", None));
        assert_eq!(
            Source::parse("r-1/for-loop-1[3]/train/models[2]").unwrap(),
            source("r-1", Some("for-loop-1[3]/train"), "models", Some(2))
        );
        assert_eq!(Source::parse("r/model").unwrap(), source("r", None, "model", None));
        for text in ["", "r", "r/", "/train/model", "r//model", "r/train/", "r/model[x]"] {
            assert!(Source::parse(text).is_err(), "{text}");
        }
    }
}
