//! `penstock retry`: lets a failed or cancelled run go on, in this process.

use std::process::ExitCode;

use penstock_spec::run::RunStatus;

use crate::args::{ProgressArgs, RetryArgs};
use crate::context::Context;
use crate::failure::Refusal;
use crate::feed::Feed;
use crate::opened::OpenRun;
use crate::remote::client::Client;
use crate::remote::runs;
use crate::remote::session::{self, Begin};
use crate::session::Elsewhere;

/// Records the command and drives the run.
pub(crate) async fn retry(context: &Context, args: RetryArgs) -> anyhow::Result<ExitCode> {
    let RetryArgs { run, execution, pods, task_pods, progress } = args;
    if let Some(client) = context.server()? {
        return remote(context, &client, &run, &progress).await;
    }
    let task_pods = task_pods.settings(&context.proxy)?;
    let (driver, run) = context.driver_of(&run, &execution, &pods, task_pods).await?;
    let feed = Feed::from_now(driver.metastore(), run).await?;
    match standing(&feed) {
        Standing::MayGoOn => {}
        Standing::Succeeded(refusal) => return Err(refusal.into()),
        Standing::AtWork(refusal) => {
            let hint = format!("if its process was killed, go on with: penstock run --resume {run}");
            return Err(refusal.with_hint(hint).into());
        }
    }
    super::run::check_root(&driver, &feed).await?;
    driver.retry(run).await?;
    super::run::drive(context, driver, feed, &progress, Elsewhere::Watch).await
}

/// Whether a run can be retried.
enum Standing {
    MayGoOn,
    Succeeded(Refusal),
    AtWork(Refusal),
}

fn standing(feed: &Feed) -> Standing {
    let run = feed.run();
    match feed.state().status() {
        RunStatus::Failed | RunStatus::Canceled => Standing::MayGoOn,
        RunStatus::Succeeded | RunStatus::Skipped => {
            Standing::Succeeded(Refusal::new(format!("run {run} succeeded: there is nothing to retry")))
        }
        _ => Standing::AtWork(Refusal::new(format!("run {run} has not ended"))),
    }
}

/// The same of a run that a server carries out.
async fn remote(context: &Context, client: &Client, run: &str, progress: &ProgressArgs) -> anyhow::Result<ExitCode> {
    let feed = OpenRun::find_at(client.clone(), run).await?.feed_from_now().await?;
    match standing(&feed) {
        Standing::MayGoOn => {}
        Standing::Succeeded(refusal) => return Err(refusal.into()),
        Standing::AtWork(refusal) => {
            return Err(refusal.with_hint("see what it does with `penstock watch`").into());
        }
    }
    let run = feed.run();
    runs::retry(client, run).await?;
    session::carry(context, client, feed, progress, Begin::WithNextFact).await
}
