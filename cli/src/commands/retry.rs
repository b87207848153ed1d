//! `penstock retry`: lets a failed or cancelled run go on, in this process.

use std::process::ExitCode;

use penstock_spec::run::RunStatus;

use crate::args::RetryArgs;
use crate::context::Context;
use crate::failure::Refusal;
use crate::feed::Feed;
use crate::session::Elsewhere;

/// Records the command and drives the run.
pub(crate) async fn retry(context: &Context, args: RetryArgs) -> anyhow::Result<ExitCode> {
    let RetryArgs { run, execution, pods, task_pods, progress } = args;
    let task_pods = task_pods.settings(&context.proxy)?;
    let (driver, run) = context.driver_of(&run, &execution, &pods, task_pods).await?;
    let feed = Feed::from_now(driver.metastore(), run).await?;
    match feed.state().status() {
        RunStatus::Failed | RunStatus::Canceled => {}
        RunStatus::Succeeded | RunStatus::Skipped => {
            return Err(Refusal::new(format!("run {run} succeeded: there is nothing to retry")).into());
        }
        _ => {
            return Err(Refusal::new(format!("run {run} has not ended"))
                .with_hint(format!("if its process was killed, go on with: penstock run --resume {run}"))
                .into());
        }
    }
    super::run::check_root(&driver, &feed).await?;
    driver.retry(run).await?;
    super::run::drive(context, driver, feed, &progress, Elsewhere::Watch).await
}
