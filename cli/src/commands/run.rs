//! `penstock run`: from a file to the end of its run; or on with a run whose process was killed.

mod remote;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use penstock_driver::{BackendKind, CreateRun, CreateRunError, Driver, RunOptions, cluster_only_settings, is_served};
use penstock_spec::check::{self, CheckedPipeline, LoadError};
use penstock_spec::ir::{InputParameter, Named};
use penstock_spec::keys;
use penstock_spec::limits::Limits;
use penstock_spec::package;
use penstock_spec::parse;
use serde_json::Map;
use uuid::Uuid;

use crate::args::cluster::Place;
use crate::args::{ProgressArgs, RunArgs};
use crate::cluster;
use crate::context::Context;
use crate::failure::{self, Refusal};
use crate::feed::Feed;
use crate::parameters;
use crate::progress::Stream;
use crate::python::{self, Compilation};
use crate::session::{self, Elsewhere};

/// Runs a pipeline.
pub(crate) async fn run(context: &Context, args: RunArgs) -> anyhow::Result<ExitCode> {
    if let Some(client) = context.server()? {
        return remote::run(context, &client, args).await;
    }
    if args.experiment.is_some() {
        return Err(Refusal::new("--experiment is for runs of a server: those of the data directory have none")
            .with_hint("name the server with --server (PENSTOCK_SERVER)")
            .into());
    }
    match (&args.resume, &args.file) {
        (Some(selector), _) => resume(context, selector, &args).await,
        (None, Some(file)) => {
            let file = file.clone();
            start(context, &file, args).await
        }
        (None, None) => Err(Refusal::new("there is no FILE to run").into()),
    }
}

async fn start(context: &Context, file: &Path, args: RunArgs) -> anyhow::Result<ExitCode> {
    let RunArgs {
        file: _,
        param,
        params_file,
        name,
        no_cache,
        root,
        function,
        compile_timeout,
        host_commands,
        component_dir,
        on,
        namespace,
        experiment: _,
        service_account,
        detach,
        resume: _,
        pods,
        task_pods,
        execution,
        progress,
    } = args;
    let kubernetes = match on {
        Place::Kubernetes => {
            let cluster = cluster::connect(&context.cluster, namespace.as_deref()).await?;
            Some(cluster::kubernetes_settings(cluster, &pods, task_pods.settings(&context.proxy)?))
        }
        Place::Process if detach => {
            return Err(Refusal::new("--detach is for --on kubernetes: no service drives runs of this machine").into());
        }
        Place::Process => None,
    };
    let is_python = is_python(file);
    let how = Compiling { function: function.as_deref(), timeout: compile_timeout };
    let (pipeline, pipeline_text) = pipeline(context, file, &how, execution.python.as_deref()).await?;
    if kubernetes.is_none() {
        for setting in cluster_only_settings(&pipeline) {
            tracing::warn!("{}: {setting}", file.display());
        }
    }
    let parameters = read_parameters(&pipeline.spec.root.input_definitions.parameters, params_file.as_deref(), &param)?;
    let component_dir = component_directory(component_dir, file, is_python)?;
    let backend = if kubernetes.is_some() { BackendKind::Kubernetes } else { BackendKind::Process };
    let host_commands = host_commands && backend == BackendKind::Process;
    let options = RunOptions { backend, host_commands, component_dir, service_account, ..RunOptions::default() };
    let root = root.as_deref().map(root_uri).transpose()?;
    let (caching, namespace) = (!no_cache, kubernetes.as_ref().map(|settings| settings.namespace.clone()));
    let on_cluster = namespace.clone();
    let request = CreateRun {
        parameters,
        display_name: name,
        namespace,
        root,
        caching,
        options,
        ..CreateRun::new(pipeline, pipeline_text)
    };

    let takes = parameters::list(&request.pipeline.spec.root.input_definitions.parameters);
    let driver = context.driver(&execution, kubernetes).await?;
    if let Some(namespace) = on_cluster {
        require_prepared(&driver, &namespace).await?;
    }
    let run = driver.create_run(request).await.map_err(|error| refuse(error, takes))?;
    if detach {
        if !is_served(driver.data_dir(), BackendKind::Kubernetes) {
            let data_dir = driver.data_dir().display();
            tracing::warn!(
                "run {run} is created, and nobody drives it: no driver holds the data directory {data_dir}. It goes on once \
                 one does (penstock driver --data-dir {data_dir}), or here with `penstock run --resume {run}`; or leave \
                 --detach out"
            );
        }
        driver.close().await;
        Stream::Out.print(&format!("{run}\n"));
        return Ok(ExitCode::from(failure::SUCCEEDED));
    }
    let feed = Feed::from_start(driver.metastore(), run).await?;
    drive(context, driver, feed, &progress, Elsewhere::Watch).await
}

/// How a Python file is compiled.
pub(super) struct Compiling<'a> {
    /// The function, where there are several pipelines.
    pub(super) function: Option<&'a str>,
    /// Most time.
    pub(super) timeout: Duration,
}

fn is_python(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("py"))
}

/// The pipeline in a file, compiled if it is Python, and its text.
pub(super) async fn pipeline(
    context: &Context,
    file: &Path,
    how: &Compiling<'_>,
    python: Option<&Path>,
) -> anyhow::Result<(CheckedPipeline, String)> {
    let Compiling { function, timeout } = *how;
    let is_python = is_python(file);
    let package = if is_python {
        let python = context.python(python);
        compile(&Compilation { file, function, python: &python, timeout }).await?
    } else if function.is_some() {
        return Err(Refusal::new("--function is for Python files; a compiled pipeline has no functions").into());
    } else {
        read_limited(file, Limits::default().document_bytes)?
    };
    let (pipeline, text) = load(file, is_python, &package)?;
    for warning in &pipeline.warnings {
        tracing::warn!("{}: {warning}", file.display());
    }
    Ok((pipeline, text))
}

/// Without what a driver prepares in it, no task's Pod can be made in a namespace.
async fn require_prepared(driver: &Driver, namespace: &str) -> anyhow::Result<()> {
    if driver.is_prepared(namespace).await.map_err(|error| refuse(error, String::new()))? {
        return Ok(());
    }
    let text = format!("cannot create the run: nobody has prepared the namespace {namespace} for tasks");
    let hint = format!(
        "where Penstock is installed, label it: kubectl label namespace {namespace} {}={}; `penstock doctor -n {namespace}` \
         looks at everything",
        keys::LABEL_NAMESPACE,
        keys::NAMESPACE_ENABLED
    );
    Err(Refusal::new(text).with_hint(hint).into())
}

async fn resume(context: &Context, selector: &str, args: &RunArgs) -> anyhow::Result<ExitCode> {
    let progress = &args.progress;
    let task_pods = args.task_pods.clone().settings(&context.proxy)?;
    let (driver, run) = context.driver_of(selector, &args.execution, &args.pods, task_pods).await?;
    let feed = Feed::from_now(driver.metastore(), run).await?;
    if feed.state().status().is_final() {
        Stream::Err.print(&format!("run {run} has ended already\n"));
        let code = session::finish(context, &feed, progress, true).await?;
        driver.close().await;
        return Ok(code);
    }
    check_root(&driver, &feed).await?;
    drive(context, driver, feed, progress, Elsewhere::Refuse).await
}

/// Before a run goes on: without its store, tasks would run for nothing.
pub(super) async fn check_root(driver: &Driver, feed: &Feed) -> anyhow::Result<()> {
    let root = &feed.info().pipeline_root;
    driver.check_root(root).await.context("the run cannot go on now; nothing is lost")
}

/// Drives to the end and closes what was opened, however it went.
pub(super) async fn drive(
    context: &Context,
    driver: Driver,
    feed: Feed,
    progress: &ProgressArgs,
    elsewhere: Elsewhere,
) -> anyhow::Result<ExitCode> {
    let run: Uuid = feed.run();
    let result = session::drive(context, &driver, feed, progress, elsewhere).await;
    driver.close().await;
    result.with_context(|| format!("run {run} did not come to its end"))
}

async fn compile(compilation: &Compilation<'_>) -> anyhow::Result<Vec<u8>> {
    let compiled = python::compile(compilation).await?;
    if !compiled.printed.is_empty() {
        let text = crate::text::inert_lines(&compiled.printed);
        Stream::Err.print(&format!("{text}\n"));
    }
    Ok(compiled.package)
}

/// Reads a file that must not be larger than `limit`.
fn read_limited(file: &Path, limit: usize) -> Result<Vec<u8>, Refusal> {
    use std::io::Read;
    let failed = |error: std::io::Error| Refusal::new(format!("cannot read {}: {error}", file.display()));
    let mut bytes = Vec::new();
    let source = std::fs::File::open(file).map_err(failed)?;
    // One byte more than allowed tells a file that is too large from one that just fits.
    source.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit {
        return Err(Refusal::new(format!("{} is larger than {limit} bytes", file.display())));
    }
    Ok(bytes)
}

/// Unpacks, reads and judges; every problem is shown.
fn load(file: &Path, is_python: bool, bytes: &[u8]) -> Result<(CheckedPipeline, String), Refusal> {
    let limits = Limits::default();
    // A pipe has no name that would say anything.
    let is_named = !file.starts_with("/dev") && std::fs::metadata(file).is_ok_and(|file| file.is_file());
    let name = match is_python || !is_named {
        true => "pipeline.yaml".into(),
        false => file.file_name().unwrap_or_default().to_string_lossy(),
    };
    let load = || -> Result<_, LoadError> {
        let text = package::unpack(&name, bytes, &limits)?.pipeline_text;
        let documents = parse::parse(&text, &limits)?;
        Ok((check::check(documents, &limits).map_err(LoadError::Check)?, text))
    };
    load().map_err(|error| {
        let problems: Vec<String> = match &error {
            LoadError::Check(problems) => problems.iter().map(ToString::to_string).collect(),
            other => {
                let mut text = other.to_string();
                let mut cause = std::error::Error::source(other);
                while let Some(error) = cause {
                    text = format!("{text}: {error}");
                    cause = error.source();
                }
                vec![text]
            }
        };
        Refusal::new(format!("{} is not a valid pipeline", file.display())).with_problems(problems)
    })
}

pub(super) fn read_parameters(
    declared: &Named<InputParameter>,
    file: Option<&Path>,
    assignments: &[String],
) -> anyhow::Result<Map<String, serde_json::Value>> {
    let from_file = match file {
        Some(file) => {
            let bytes = read_limited(file, Limits::default().document_bytes)?;
            parameters::parse_file(&file.display().to_string(), &bytes).map_err(refuse_parameters)?
        }
        None => Map::new(),
    };
    Ok(parameters::collect(declared, from_file, assignments).map_err(refuse_parameters)?)
}

fn refuse_parameters(error: parameters::ParameterError) -> Refusal {
    let text = format!("{:#}", anyhow::Error::new(error));
    Refusal::new(text)
}

/// `takes` says which parameters there are.
fn refuse(error: CreateRunError, takes: String) -> anyhow::Error {
    match error {
        CreateRunError::Metastore(_) => error.into(),
        CreateRunError::Namespace(_) => anyhow::Error::from(error).context("cannot create the run"),
        CreateRunError::Root(ref root) if root.may_pass() => {
            anyhow::Error::from(error).context("cannot create the run")
        }
        CreateRunError::Parameters(_) => {
            anyhow::Error::from(error).context(Refusal::new("cannot create the run").with_hint(takes))
        }
        CreateRunError::Root(_)
        | CreateRunError::LocalRoot { .. }
        | CreateRunError::Unsupported(_)
        | CreateRunError::Platform(_)
        | CreateRunError::Workspace(_)
        | CreateRunError::NoCluster => anyhow::Error::from(error).context(Refusal::new("cannot create the run")),
    }
}

/// A directory becomes a `file://` URI; URIs stay.
pub(super) fn root_uri(root: &str) -> anyhow::Result<String> {
    if root.contains("://") {
        return Ok(root.to_owned());
    }
    if root.is_empty() {
        return Err(Refusal::new("--root must not be empty").into());
    }
    let path = std::path::absolute(root).with_context(|| format!("cannot use --root {root}"))?;
    std::fs::create_dir_all(&path)
        .map_err(|error| Refusal::new(format!("cannot use --root {}: {error}", path.display())))?;
    // Without links and dots, so that the same directory always has the same URI.
    let path = path.canonicalize().with_context(|| format!("cannot use --root {root}"))?;
    let Some(text) = path.to_str() else {
        return Err(Refusal::new(format!("--root {} is not valid UTF-8", path.display())).into());
    };
    Ok(format!("file://{text}"))
}

fn component_directory(asked: Option<PathBuf>, file: &Path, is_python: bool) -> anyhow::Result<Option<PathBuf>> {
    let Some(folder) = asked.or_else(|| is_python.then(|| file.parent().map(Path::to_owned)).flatten()) else {
        return Ok(None);
    };
    let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
    let absolute = folder
        .canonicalize()
        .map_err(|error| Refusal::new(format!("cannot use --component-dir {}: {error}", folder.display())))?;
    Ok(Some(absolute))
}
