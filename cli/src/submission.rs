//! How the API makes runs: through the driver of the same process, which carries them out or leaves them to another one.

use async_trait::async_trait;
use penstock_apiserver::{NewSubmission, Submission, SubmissionError};
use penstock_driver::{BackendKind, CreateRun, CreateRunError, Driver, RunOptions};
use penstock_metastore::RunRow;
use penstock_runtime::logs::chain;
use penstock_spec::check;
use penstock_spec::keys;
use penstock_spec::limits::Limits;

use crate::context;

/// Where tasks of submitted runs are carried out.
#[derive(Debug, Clone)]
pub(crate) enum TaskPlace {
    /// As processes of this machine.
    Process {
        /// Whether components that are only an image and a command run here, without the image.
        host_commands: bool,
    },
    /// As Pods.
    Kubernetes {
        /// Namespace of runs that name none.
        namespace: String,
        /// Namespace of Penstock itself, in which no task runs.
        own_namespace: String,
    },
}

impl TaskPlace {
    /// The namespace of runs that name none; empty on one machine, which has none.
    pub(crate) fn namespace(&self) -> &str {
        match self {
            TaskPlace::Process { .. } => "",
            TaskPlace::Kubernetes { namespace, .. } => namespace,
        }
    }
}

/// Makes runs through a driver.
#[derive(Debug)]
pub(crate) struct DriverSubmission {
    driver: Driver,
    place: TaskPlace,
}

impl DriverSubmission {
    /// Makes runs for this driver.
    pub(crate) fn new(driver: Driver, place: TaskPlace) -> DriverSubmission {
        DriverSubmission { driver, place }
    }

    /// The namespace of a run's Pods, which must be prepared for them; none for processes.
    async fn namespace(&self, wanted: String) -> Result<Option<String>, SubmissionError> {
        let TaskPlace::Kubernetes { namespace, own_namespace } = &self.place else { return Ok(None) };
        let namespace = if wanted.is_empty() { namespace.clone() } else { wanted };
        if namespace == *own_namespace {
            return Err(SubmissionError::Refused(without_tasks(&namespace)));
        }
        match self.driver.is_prepared(&namespace).await.map_err(refuse)? {
            true => Ok(Some(namespace)),
            false => Err(SubmissionError::Refused(unprepared(&namespace))),
        }
    }
}

/// Why nothing runs in the namespace of Penstock itself.
pub(crate) fn without_tasks(namespace: &str) -> String {
    format!(
        "no task runs in the namespace of Penstock itself, {namespace}: name another one for runs with --api-namespace \
         (PENSTOCK_API_NAMESPACE) of the server"
    )
}

fn unprepared(namespace: &str) -> String {
    format!(
        "the namespace {namespace} is not prepared for tasks: label it with kubectl label namespace {namespace} {}={}, or \
         name another one with --api-namespace of the server; `penstock doctor -n {namespace}` looks at everything",
        keys::LABEL_NAMESPACE,
        keys::NAMESPACE_ENABLED
    )
}

#[async_trait]
impl Submission for DriverSubmission {
    async fn submit(&self, submission: NewSubmission) -> Result<(), SubmissionError> {
        let NewSubmission {
            id,
            pipeline_text,
            parameters,
            display_name,
            namespace,
            pipeline_root,
            service_account,
            scheduled_at,
            cache,
            registration,
        } = submission;
        let pipeline = check::load("pipeline.yaml", pipeline_text.as_bytes(), &Limits::default())
            .map_err(|error| SubmissionError::Pipeline(chain(&error)))?;
        let (backend, host_commands) = match self.place {
            TaskPlace::Process { host_commands } => (BackendKind::Process, host_commands),
            TaskPlace::Kubernetes { .. } => (BackendKind::Kubernetes, false),
        };
        let request = CreateRun {
            id: Some(id),
            parameters,
            display_name: Some(display_name),
            scheduled_at,
            namespace: self.namespace(namespace).await?,
            root: pipeline_root,
            options: RunOptions { backend, host_commands, service_account, cache, ..RunOptions::default() },
            registration,
            ..CreateRun::new(pipeline, pipeline_text)
        };
        Box::pin(self.driver.create_run(request)).await.map(|_| ()).map_err(refuse)
    }

    fn leaves_traces(&self, run: &RunRow) -> bool {
        // Pods of failed attempts are kept for a look, and the API may be of a process that has no right to delete them.
        matches!(self.place, TaskPlace::Kubernetes { .. }) && context::is_on_kubernetes(run)
    }
}

/// What is wrong, in the words of the API: its clients give no flags.
fn refuse(error: CreateRunError) -> SubmissionError {
    const ROOT: &str = "runtime_config.pipeline_root";
    match error {
        CreateRunError::Metastore(error) => SubmissionError::Metastore(error),
        CreateRunError::Parameters(error) => SubmissionError::Parameters(error.full_message()),
        CreateRunError::Root(root) => {
            let text = format!("cannot use the pipeline root {} ({ROOT}): {}", root.root, chain(&root.source));
            match root.may_pass() {
                true => SubmissionError::Unavailable(text),
                false => SubmissionError::Refused(text),
            }
        }
        CreateRunError::LocalRoot { root } => SubmissionError::Refused(format!(
            "the pipeline root {root} is a place of the server's machine, which Pods do not reach; name one in an object \
             store, such as s3://bucket/prefix ({ROOT})"
        )),
        CreateRunError::Namespace(_) => SubmissionError::Unavailable(chain(&error)),
        CreateRunError::Unsupported(_)
        | CreateRunError::Platform(_)
        | CreateRunError::Workspace(_)
        | CreateRunError::NoCluster => SubmissionError::Refused(chain(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_that_is_not_prepared_is_named_with_the_label_that_it_lacks() {
        let text = unprepared("team");
        assert!(text.contains("kubectl label namespace team penstock.dev/injection=enabled"), "{text}");
    }

    #[test]
    fn a_root_out_of_reach_is_told_in_words_of_the_api() {
        let error = refuse(CreateRunError::LocalRoot { root: "file:///data".to_owned() });
        assert!(matches!(&error, SubmissionError::Refused(text) if text.contains("runtime_config.pipeline_root")));
        assert!(!error.to_string().contains("--root"), "{error}");
    }
}
