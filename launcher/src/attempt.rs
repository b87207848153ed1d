//! One attempt on this machine, from plan to report.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use penstock_spec::keys;
use penstock_spec::log_times;
use penstock_spec::plan::Plan;
use penstock_spec::report::{Failure, FailureCause, Outcome, Report};
use penstock_spec::timings::Timings;
use tokio::time::Instant;

use crate::arguments::{self, Argv};
use crate::cancel::CancelToken;
use crate::clock::SteadyClock;
use crate::host::HostContext;
use crate::local::LocalLayout;
use crate::log_clock::{self, LogClock};
use crate::log_line::last_line;
use crate::outputs::store::StoreOutputError;
use crate::outputs::{self, CollectOptions};
use crate::process::descendants::Family;
use crate::process::{ProcessEnd, ProcessError, ProcessSpec, RunningProcess, environment};
use crate::python::component::{self, Component};
use crate::python::warm::WarmProcess;
use crate::python::{PythonEnvironment, task::PythonTask};
use crate::report::{self, attempt_of, describe, failure};
use crate::{inputs, process};

/// How long storing the log of a stopped or failed attempt may take.
const LOG_LIMIT: Duration = Duration::from_secs(60);

/// Carries out one attempt. Never fails: every error is a report. The log is stored however the attempt ends; the
/// manifest only if it ended well, and last.
pub async fn run_attempt(plan: &Plan, host: &HostContext, cancel: CancelToken) -> Report {
    let (clock, timings) = (SteadyClock::start(), Timings::default());
    let log_clock = None;
    let mut attempt = Attempt { plan, host, cancel, exit_code: None, ran_on_host: false, clock, timings, log_clock };
    let outcome = Box::pin(attempt.run()).await;
    let mut report = match outcome {
        Ok(report) => report,
        Err(failure) => Report {
            attempt: attempt_of(plan),
            outcome: Outcome::Failed(failure),
            exit_code: attempt.exit_code,
            log_uri: tokio::time::timeout(LOG_LIMIT, attempt.store_log()).await.ok().flatten(),
            manifest_digest: None,
            ran_on_host: attempt.ran_on_host,
            timings: None,
        },
    };
    attempt.timings.stored_at = Some(clock.now());
    report.timings = attempt.timings.known();
    report
}

struct Attempt<'a> {
    plan: &'a Plan,
    host: &'a HostContext,
    cancel: CancelToken,
    exit_code: Option<i32>,
    ran_on_host: bool,
    clock: SteadyClock,
    timings: Timings,
    /// Since there may be a log.
    log_clock: Option<LogClock>,
}

/// What is to be run.
enum Program {
    /// Argv as it is.
    Command { bin_dir: Option<PathBuf>, cwd: Option<PathBuf> },
    /// A Python component whose interpreter and packages are ready.
    Python { environment: Arc<PythonEnvironment>, component: Component },
}

/// A process of either kind.
enum Running {
    Plain(Box<RunningProcess>),
    Warm(WarmProcess),
}

impl Attempt<'_> {
    async fn run(&mut self) -> Result<Report, Failure> {
        let layout = LocalLayout::new(self.plan, &self.host.work_dir)
            .map_err(|reason| failure(FailureCause::Refused, reason))?;
        let (making, workspace) = (layout.clone(), self.plan.run.workspace.clone());
        let make = move || workspace.map_or(Ok(()), std::fs::create_dir_all).and_then(|()| making.create());
        blocking(make).await?.map_err(|error| {
            let shown = self.host.work_dir.display();
            failure(FailureCause::Infrastructure, format!("cannot make the work directory {shown}: {error}"))
        })?;
        let program = self.or_canceled(Box::pin(self.choose_program())).await??;
        if let Program::Command { .. } = program {
            self.ran_on_host = true;
        }

        let deadline = self.plan.timeout_seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let needed = inputs::needed(self.plan, layout.places());
        for (name, uri) in &needed.without_files {
            tracing::warn!(
                task.path = %self.plan.task.path,
                "input artifact {name:?} is not fetched: nothing can be fetched from {uri} here, and its path is the URI"
            );
        }
        self.timings.inputs_at = Some(self.clock.now());
        let fetched = inputs::fetch(&self.host.transfer, needed.fetches);
        self.or_stopped(deadline, fetched).await?.map_err(|error| match &error {
            inputs::InputError::Fetch { source, .. } if !source.is_infrastructure() => {
                failure(FailureCause::Input, describe(&error))
            }
            _ => failure(FailureCause::Infrastructure, describe(&error)),
        })?;
        self.timings.ready_at = Some(self.clock.now());

        let document = arguments::executor_input(self.plan, layout.places());
        let argv = arguments::build_argv(self.plan, layout.places(), &document)
            .map_err(|error| failure(FailureCause::Refused, error.to_string()))?;
        let options = collect_options(&program);
        let end = self.run_process(&layout, program, argv, deadline).await?;
        self.exit_code = Some(end.code());
        if end != ProcessEnd::Exited(0) {
            return Err(failure(FailureCause::User, self.describe_end(end).await));
        }
        self.or_canceled(Box::pin(self.finish(layout, options, end.code()))).await?
    }

    /// Outputs, log, and last the manifest.
    async fn finish(&self, layout: LocalLayout, options: CollectOptions, exit_code: i32) -> Result<Report, Failure> {
        let (plan, places) = (self.plan.clone(), layout.clone());
        let collected = blocking(move || outputs::collect(&plan, places.places(), &places, options))
            .await?
            .map_err(|error| failure(FailureCause::Output, describe(&error)))?;
        let stored = outputs::store::store(&self.host.transfer, collected, &layout);
        let (outputs, log_uri) = tokio::join!(stored, self.store_log());
        let outputs = outputs.map_err(|error| match &error {
            StoreOutputError::Upload { source, .. } if !source.is_infrastructure() => {
                failure(FailureCause::Output, describe(&error))
            }
            _ => failure(FailureCause::Infrastructure, describe(&error)),
        })?;
        let manifest = report::manifest(self.plan, exit_code, outputs, self.ran_on_host);
        let (bytes, digest) = report::encode(&manifest);
        let uri = self.plan.manifest_uri();
        self.host.transfer.put_bytes(&uri, bytes).await.map_err(|error| {
            let reason = describe(&error);
            failure(FailureCause::Infrastructure, format!("cannot store the manifest {uri}: {reason}"))
        })?;
        Ok(report::succeeded(manifest, digest, log_uri))
    }

    /// Decides how the component runs here, and makes its Python environment ready.
    async fn choose_program(&self) -> Result<Program, Failure> {
        let python = &self.host.python;
        if self.plan.image.starts_with(keys::PSEUDO_IMAGES) {
            return Err(failure(
                FailureCause::Refused,
                format!(
                    "the component creates or deletes a volume of a cluster ({:?} stands for that and is never run), \
                     and this machine has no volumes; run the pipeline on a cluster",
                    self.plan.image
                ),
            ));
        }
        let Some(component) = component::recognize(&self.plan.command, &self.plan.args) else {
            if !self.host.host_commands {
                return Err(failure(
                    FailureCause::Refused,
                    format!(
                        "the component runs a command in the image {:?}, and this machine runs no images; allow its \
                         command to run as a process of this machine with --host-commands, or run the pipeline on a \
                         cluster",
                        self.plan.image
                    ),
                ));
            }
            // `python` and `python3` of such a command are the interpreter that tasks are based on.
            let bin_dir = python.base(&self.plan.image).await.ok().and_then(|base| base.bin_dir());
            return Ok(Program::Command { bin_dir, cwd: None });
        };
        let environment = python
            .environment(&self.plan.image, &component)
            .await
            .map_err(|error| failure(error.cause(), describe(&error)))?;
        Ok(Program::Python { environment, component })
    }

    async fn run_process(
        &mut self,
        layout: &LocalLayout,
        program: Program,
        argv: Argv,
        deadline: Option<Instant>,
    ) -> Result<ProcessEnd, Failure> {
        let bin_dir = match &program {
            Program::Command { bin_dir, .. } => bin_dir.clone(),
            Program::Python { environment, .. } => environment.bin_dir(),
        };
        let base = environment::base(std::env::vars_os());
        let mut spec = ProcessSpec {
            argv: argv.elements().map(OsString::from).collect(),
            cwd: layout.scratch_dir(),
            env: environment::of_attempt(self.plan, &base, bin_dir.as_deref(), &layout.temporary_dir()),
            log_file: self.host.log_file.clone(),
            work_dir: self.host.work_dir.clone(),
            marker: environment::marker(self.plan),
        };
        let log_file = self.host.log_file.clone();
        self.log_clock = Some(LogClock::start(log_file, &log_times::index_path(&self.host.log_file)));
        let mut running = match program {
            Program::Command { cwd, .. } => {
                arguments::check_argv(self.plan, &argv).map_err(refused)?;
                spec.cwd = cwd.unwrap_or(spec.cwd);
                Running::Plain(Box::new(RunningProcess::start(&spec).map_err(process_failure)?))
            }
            Program::Python { environment, component } => {
                self.start_python(spec, &environment, &component, argv).await?
            }
        };
        self.timings.started_at = Some(self.clock.now());
        let end = self.watch(&mut running, deadline).await;
        self.timings.ended_at = Some(self.clock.now());
        // What the process left behind must neither change outputs while they are read nor outlive the attempt.
        let family = running.family().clone();
        let left = blocking(move || family.kill_now()).await?;
        if left > 0 {
            tracing::info!(task.path = %self.plan.task.path, "killed {left} processes that the task left behind");
        }
        end
    }

    async fn start_python(
        &self,
        mut spec: ProcessSpec,
        environment: &PythonEnvironment,
        component: &Component,
        argv: Argv,
    ) -> Result<Running, Failure> {
        let Component { executor: Some(executor), .. } = component else {
            // Packages are in place, so only what follows their installation is run.
            let argv = Argv { command: argv.command.into_iter().skip(component.skip).collect(), args: argv.args };
            arguments::check_argv(self.plan, &argv).map_err(refused)?;
            spec.argv = argv.elements().map(OsString::from).collect();
            return Ok(Running::Plain(Box::new(RunningProcess::start(&spec).map_err(process_failure)?)));
        };
        let task = PythonTask::new(executor, &argv, &self.host.work_dir)
            .map_err(|reason| failure(FailureCause::Refused, reason))?;
        if !executor.is_lightweight() {
            spec.cwd = component::component_dir(self.host.component_dir.as_deref())
                .map_err(|reason| failure(FailureCause::Refused, reason))?;
        }
        let python = &self.host.python;
        let warm = match crate::python::task::fits_warm(self.plan) {
            true => python.start_warm(environment, executor, &task, &spec).await,
            false => None,
        };
        match warm {
            Some(Ok(process)) => Ok(Running::Warm(process)),
            Some(Err(error)) => Err(process_failure(error)),
            None => {
                spec.argv = python.plain_argv(environment, executor, &task, &spec).await.map_err(process_failure)?;
                Ok(Running::Plain(Box::new(RunningProcess::start(&spec).map_err(process_failure)?)))
            }
        }
    }

    /// Waits for the end, the deadline or the request to stop.
    async fn watch(&self, running: &mut Running, deadline: Option<Instant>) -> Result<ProcessEnd, Failure> {
        let stopped = tokio::select! {
            end = running.wait() => return end.map_err(process_failure),
            stopped = self.stopped(deadline) => stopped,
        };
        if let Err(error) = running.stop(self.host.grace).await {
            tracing::warn!(task.path = %self.plan.task.path, "stopping the process: {}", describe(&error));
        }
        Err(stopped)
    }

    /// Returns when the attempt has to stop, with the reason.
    async fn stopped(&self, deadline: Option<Instant>) -> Failure {
        let late = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.cancel.canceled() => canceled(),
            () = late => {
                let seconds = self.plan.timeout_seconds.unwrap_or_default();
                failure(FailureCause::Timeout, format!("the attempt took longer than its timeout of {seconds} s"))
            }
        }
    }

    async fn or_stopped<T>(&self, deadline: Option<Instant>, work: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            stopped = self.stopped(deadline) => Err(stopped),
            done = work => Ok(done),
        }
    }

    async fn or_canceled<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        self.or_stopped(None, work).await
    }

    /// Stores the log; none when there is none or it could not be stored, which is said in our own log.
    async fn store_log(&self) -> Option<String> {
        let path = &self.host.log_file;
        // One look is quicker here than on a thread for blocking work.
        if !path.exists() {
            return None;
        }
        let uri = self.plan.log_uri();
        match tokio::join!(self.host.transfer.upload(path, &uri), self.store_log_times(&uri)).0 {
            Ok(_) => Some(uri),
            Err(error) => {
                let reason = describe(&error);
                tracing::warn!(task.path = %self.plan.task.path, "cannot store the log at {uri}: {reason}");
                None
            }
        }
    }

    /// Stores by when what is in the log was printed. A log without is worth as much otherwise.
    async fn store_log_times(&self, log_uri: &str) {
        let Some(clock) = &self.log_clock else { return };
        let times = clock.times().await;
        if let Err(reason) = log_clock::store(&self.host.transfer, &times, log_uri).await {
            tracing::warn!(task.path = %self.plan.task.path, "cannot store the times of the log {log_uri}: {reason}");
        }
    }

    async fn describe_end(&self, end: ProcessEnd) -> String {
        let path = self.host.log_file.clone();
        let last = blocking(move || last_line(std::fs::File::open(path).ok()?)).await.ok().flatten();
        let mut message = format!("the process {}", end.describe());
        if let Some(line) = last {
            message.push_str("; the last line of its log: ");
            message.push_str(&line);
        }
        message
    }
}

impl Running {
    async fn wait(&mut self) -> Result<ProcessEnd, ProcessError> {
        match self {
            Running::Plain(process) => process.wait().await,
            Running::Warm(process) => process.wait().await,
        }
    }

    async fn stop(&mut self, grace: Duration) -> Result<ProcessEnd, ProcessError> {
        match self {
            Running::Plain(process) => process.stop(grace).await,
            Running::Warm(process) => process.stop(grace).await,
        }
    }

    fn family(&self) -> &Family {
        match self {
            Running::Plain(process) => process.family(),
            Running::Warm(process) => process.family(),
        }
    }
}

fn collect_options(program: &Program) -> CollectOptions {
    let optional_return = match program {
        Program::Python { component: Component { executor: Some(executor), .. }, .. } => executor.returns_optional,
        _ => false,
    };
    CollectOptions { optional_return }
}

fn canceled() -> Failure {
    failure(FailureCause::Canceled, "the attempt was stopped on request")
}

#[allow(clippy::needless_pass_by_value, reason = "it is a function for map_err")]
fn refused(error: arguments::ArgumentError) -> Failure {
    failure(FailureCause::Refused, error.to_string())
}

#[allow(clippy::needless_pass_by_value, reason = "it is a function for map_err")]
fn process_failure(error: process::ProcessError) -> Failure {
    let cause = match &error {
        ProcessError::NotFound { .. } | ProcessError::Start { .. } => FailureCause::Refused,
        ProcessError::File { .. } | ProcessError::Wait { .. } | ProcessError::Lost { .. } => {
            FailureCause::Infrastructure
        }
    };
    failure(cause, describe(&error))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        failure(FailureCause::Infrastructure, format!("a step of the attempt stopped unexpectedly: {error}"))
    })
}
