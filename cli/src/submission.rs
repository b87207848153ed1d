//! How the API makes runs: through the driver of the same process.

use async_trait::async_trait;
use penstock_apiserver::{NewSubmission, Submission, SubmissionError};
use penstock_driver::{BackendKind, CreateRun, CreateRunError, Driver, RunOptions};
use penstock_runtime::logs::chain;
use penstock_spec::check;
use penstock_spec::limits::Limits;

/// Makes runs whose tasks are processes of this machine.
#[derive(Debug)]
pub(crate) struct LocalSubmission {
    driver: Driver,
    /// Whether components that are only an image and a command run here, without the image.
    host_commands: bool,
}

impl LocalSubmission {
    /// Makes runs for this driver.
    pub(crate) fn new(driver: Driver, host_commands: bool) -> LocalSubmission {
        LocalSubmission { driver, host_commands }
    }
}

#[async_trait]
impl Submission for LocalSubmission {
    async fn submit(&self, submission: NewSubmission) -> Result<(), SubmissionError> {
        let NewSubmission {
            id,
            pipeline_text,
            parameters,
            display_name,
            // One machine has no namespaces.
            namespace: _,
            pipeline_root,
            service_account,
            scheduled_at,
            registration,
        } = submission;
        let pipeline = check::load("pipeline.yaml", pipeline_text.as_bytes(), &Limits::default())
            .map_err(|error| SubmissionError::Pipeline(chain(&error)))?;
        let options = RunOptions {
            backend: BackendKind::Process,
            host_commands: self.host_commands,
            component_dir: None,
            service_account,
        };
        let request = CreateRun {
            id: Some(id),
            parameters,
            display_name: Some(display_name),
            scheduled_at,
            root: pipeline_root,
            options,
            registration,
            ..CreateRun::new(pipeline, pipeline_text)
        };
        Box::pin(self.driver.create_run(request)).await.map(|_| ()).map_err(refuse)
    }
}

fn refuse(error: CreateRunError) -> SubmissionError {
    match error {
        CreateRunError::Metastore(error) => SubmissionError::Metastore(error),
        CreateRunError::Parameters(error) => SubmissionError::Parameters(error.full_message()),
        CreateRunError::Root(ref root) if root.may_pass() => SubmissionError::Unavailable(chain(&error)),
        CreateRunError::Namespace(_) => SubmissionError::Unavailable(chain(&error)),
        CreateRunError::Root(_)
        | CreateRunError::LocalRoot { .. }
        | CreateRunError::Unsupported(_)
        | CreateRunError::NoCluster => SubmissionError::Refused(chain(&error)),
    }
}
