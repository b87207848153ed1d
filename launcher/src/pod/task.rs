//! A task of a run: the plan's inputs, argv, outputs, log and manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use penstock_entry::protocol::LauncherMessage;
use penstock_objectstore::{Opener, Transfer};
use penstock_spec::keys;
use penstock_spec::plan::Plan;
use penstock_spec::report::{Failure, FailureCause, TaskOutputs};

use super::args::Graces;
use super::ending::Ending;
use super::job::{broken, milliseconds, probe_store};
use super::layout::{ClusterLayout, PodFiles};
use super::log::PodLog;
use super::machine::Conclusion;
use crate::inputs::{self, Fetch, InputError};
use crate::outputs::store::StoreOutputError;
use crate::outputs::{self, CollectOptions};
use crate::python::component;
use crate::report::{self, describe, failure};
use crate::{arguments, places::Locate};

/// Longest time that the log of a failed attempt holds up its report.
const LOG_LIMIT: Duration = Duration::from_secs(60);

/// One attempt of a task.
#[derive(Debug)]
pub struct TaskJob {
    plan: Plan,
    layout: ClusterLayout,
    transfer: Arc<Transfer>,
    entry: Arc<dyn Opener>,
    log: PodLog,
    graces: Graces,
}

impl TaskJob {
    /// Lays the attempt out below `root`. An error is why the plan's inputs have no place.
    pub fn new(
        plan: Plan,
        root: &Path,
        transfer: Arc<Transfer>,
        entry: Arc<dyn Opener>,
        log: PodLog,
        graces: Graces,
    ) -> Result<TaskJob, Failure> {
        let layout = ClusterLayout::new(&plan, root).map_err(|reason| failure(FailureCause::Input, reason))?;
        Ok(TaskJob { plan, layout, transfer, entry, log, graces })
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Makes the directories of outputs, fetches the inputs, and looks whether outputs can be stored: what is wrong with
    /// the store shows before user code runs (F-27).
    pub async fn fetch(&self) -> Result<(), Failure> {
        let needed = inputs::needed(&self.plan, self.layout.places());
        for (name, uri) in &needed.without_files {
            tracing::warn!("input artifact {name:?} is not fetched: {uri} is not in a store, and its path is the URI");
        }
        let layout = self.layout.clone();
        let fetches = needed.fetches.into_iter().filter(|fetch| self.layout.is_fetched_to(fetch.path()));
        let fetches: Vec<Fetch> = fetches.filter(|fetch| ClusterLayout::is_fetched(fetch.uri())).collect();
        let prepared = tokio::task::spawn_blocking(move || {
            make_directories(&layout)?;
            let fetches = distinct(fetches);
            // What an earlier sidecar left unfinished.
            fetches.iter().try_for_each(|fetch| remove(fetch.path())).map(|()| fetches)
        });
        let fetches = prepared.await.map_err(|error| broken(&error))?.map_err(|error| {
            failure(FailureCause::Infrastructure, format!("cannot prepare the task's volumes: {error}"))
        })?;
        let (fetched, probed) =
            tokio::join!(inputs::fetch(&self.transfer, fetches), probe_store(&self.transfer, &self.plan.task_root));
        fetched.map_err(|error| match &error {
            InputError::Fetch { source, .. } if !source.is_infrastructure() => {
                failure(FailureCause::Input, describe(&error))
            }
            _ => failure(FailureCause::Infrastructure, describe(&error)),
        })?;
        probed
    }

    /// Resolves placeholders in the strings that Kubernetes passed, whose variables it has expanded.
    pub fn start(&self, argv: Vec<String>) -> Result<LauncherMessage, Failure> {
        let refused = |error: arguments::ArgumentError| failure(FailureCause::Refused, error.to_string());
        let mut plan = self.plan.clone();
        let expected = plan.command.len() + plan.args.len();
        let mut command = argv;
        // Whoever changed the container's arguments on their way here knows no better place for them.
        let args = if command.len() == expected { command.split_off(plan.command.len()) } else { Vec::new() };
        (plan.command, plan.args) = (command, args);
        let document = arguments::executor_input(&plan, self.layout.places());
        let argv = arguments::build_argv(&plan, self.layout.places(), &document).map_err(refused)?;
        arguments::check_argv(&plan, &argv).map_err(refused)?;
        let mut env = BTreeMap::new();
        if plan.retries {
            env.insert(keys::ENV_RETRY_INDEX.to_owned(), plan.task.attempt.to_string());
        }
        let own = self.layout.directories().into_iter();
        let own = own.filter(|directory| !self.layout.is_shared(&directory.join("x")));
        Ok(LauncherMessage::Start {
            argv: argv.elements().cloned().collect(),
            env,
            directories: own.map(|directory| directory.display().to_string()).collect(),
            log: Some(self.log.path().display().to_string()),
            grace_ms: milliseconds(self.graces.process),
            hold_ms: milliseconds(self.graces.hold),
        })
    }

    /// Stores outputs, log, and last the manifest of an attempt that ended well; of any other only the log.
    pub async fn store(&self, ending: Ending) -> Conclusion {
        let (failure, exit_code) = match ending {
            Ending::Well => match Box::pin(self.store_outputs()).await {
                Ok(conclusion) => return conclusion,
                Err(failure) => (failure, Some(0)),
            },
            Ending::Badly { failure, exit_code, show_log: true } => (self.with_last_line(failure), exit_code),
            Ending::Badly { failure, exit_code, show_log: false } => (failure, exit_code),
        };
        let log_uri = tokio::time::timeout(LOG_LIMIT, self.log.store()).await.unwrap_or_else(|_| {
            tracing::warn!("the log could not be stored within {} s", LOG_LIMIT.as_secs());
            None
        });
        Conclusion { failure: Some(failure), manifest_digest: None, exit_code, log_uri }
    }

    /// From now on stores the end of the log from time to time, until the attempt is stored.
    pub fn ship_log(&self) {
        self.log.ship();
    }

    /// Stores the end of the log of a process that is still running.
    pub async fn store_partial_log(&self) {
        self.log.store_tail().await;
    }

    async fn store_outputs(&self) -> Result<Conclusion, Failure> {
        let files = PodFiles::new(self.layout.clone(), Arc::clone(&self.entry));
        let (outputs, log_uri) = tokio::join!(Box::pin(self.collect_and_store(files)), self.log.store());
        let manifest = report::manifest(&self.plan, 0, outputs?, false);
        let (bytes, digest) = report::encode(&manifest);
        let uri = self.plan.manifest_uri();
        self.transfer.put_bytes(&uri, bytes).await.map_err(|error| {
            let reason = describe(&error);
            failure(FailureCause::Infrastructure, format!("cannot store the manifest {uri}: {reason}"))
        })?;
        Ok(Conclusion { failure: None, manifest_digest: Some(digest), exit_code: Some(0), log_uri })
    }

    async fn collect_and_store(&self, files: PodFiles) -> Result<TaskOutputs, Failure> {
        let (plan, places, reading) = (self.plan.clone(), self.layout.places().clone(), files.clone());
        let collecting = tokio::task::spawn_blocking(move || {
            let executor = component::recognize(&plan.command, &plan.args).and_then(|component| component.executor);
            let optional_return = executor.is_some_and(|executor| executor.returns_optional);
            outputs::collect(&plan, &places, &reading as &dyn Locate, CollectOptions { optional_return })
        });
        let collected = collecting
            .await
            .map_err(|error| broken(&error))?
            .map_err(|error| failure(FailureCause::Output, describe(&error)))?;
        outputs::store::store(&self.transfer, collected, &files).await.map_err(|error| match &error {
            StoreOutputError::Upload { source, .. } if !source.is_infrastructure() => {
                failure(FailureCause::Output, describe(&error))
            }
            _ => failure(FailureCause::Infrastructure, describe(&error)),
        })
    }

    fn with_last_line(&self, cause: Failure) -> Failure {
        match self.log.last_line() {
            Some(line) => failure(cause.cause, format!("{}; the last line of its log: {line}", cause.message)),
            None => cause,
        }
    }
}

/// Makes the directories above outputs that lie in volumes. The entry makes the others, as the user.
fn make_directories(layout: &ClusterLayout) -> io::Result<()> {
    let shared = layout.directories().into_iter().filter(|directory| layout.is_shared(&directory.join("x")));
    shared.into_iter().try_for_each(|directory| {
        fs::create_dir_all(&directory)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", directory.display())))
    })
}

/// One fetch for each place; what lies within another comes with that.
fn distinct(fetches: Vec<Fetch>) -> Vec<Fetch> {
    let paths: BTreeSet<PathBuf> = fetches.iter().map(|fetch| fetch.path().to_owned()).collect();
    let mut taken = BTreeSet::new();
    let within = |path: &Path| path.ancestors().skip(1).any(|above| paths.contains(above));
    fetches.into_iter().filter(|fetch| !within(fetch.path()) && taken.insert(fetch.path().to_owned())).collect()
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        }
        _ => Ok(()),
    }
}
