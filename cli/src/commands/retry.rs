//! `penstock retry`: lets a run go on that ended, in this process.

use std::process::ExitCode;

use penstock_engine::{NodeId, task_id};
use penstock_spec::Timestamp;
use penstock_spec::run::RunStatus;

use crate::args::{ProgressArgs, RetryArgs};
use crate::context::Context;
use crate::failure::Refusal;
use crate::feed::Feed;
use crate::opened::OpenRun;
use crate::remote::client::Client;
use crate::remote::runs;
use crate::remote::session::{self, Begin};
use crate::selection::select_one;
use crate::session::Elsewhere;
use crate::text::inert;

/// Records the command and drives the run.
pub(crate) async fn retry(context: &Context, args: RetryArgs) -> anyhow::Result<ExitCode> {
    let RetryArgs { run, from, execution, pods, task_pods, progress, place: _ } = args;
    if let Some(client) = context.server()? {
        return remote(context, &client, &run, from.as_deref(), &progress).await;
    }
    let task_pods = task_pods.settings(&context.proxy)?;
    let (driver, run) = context.driver_of(&run, &execution, &pods, task_pods).await?;
    let feed = Feed::from_now(driver.metastore(), run).await?;
    let from = check(&feed, from.as_deref(), || {
        format!("if its process was killed, go on with: penstock run --resume {run}")
    })?;
    super::run::check_root(&driver, &feed).await?;
    driver.retry(run, from.into_iter().collect()).await?;
    super::run::drive(context, driver, feed, &progress, Elsewhere::Watch).await
}

/// The task that the run is to go on from, if one is named; refused where the run cannot go on. `at_work` is what may be
/// done about one that has not ended.
fn check(feed: &Feed, from: Option<&str>, at_work: impl FnOnce() -> String) -> Result<Option<NodeId>, Refusal> {
    let (run, state) = (feed.run(), feed.state());
    if !state.status().is_final() {
        return Err(Refusal::new(format!("run {run} has not ended")).with_hint(at_work()));
    }
    let from = from.map(|task| select_one(state, task)).transpose()?;
    match state.retry_refusal(from.as_slice(), Timestamp::now()) {
        None => Ok(from),
        Some(_) if from.is_none() && state.status() == RunStatus::Succeeded => {
            Err(Refusal::new(format!("run {run} succeeded: there is nothing to retry"))
                .with_hint("to have a task run anew with all that depends on it: --from TASK"))
        }
        Some(reason) => Err(Refusal::new(format!("run {run} cannot go on: {}", inert(&reason)))),
    }
}

/// The same of a run that a server carries out.
async fn remote(
    context: &Context,
    client: &Client,
    run: &str,
    from: Option<&str>,
    progress: &ProgressArgs,
) -> anyhow::Result<ExitCode> {
    let feed = OpenRun::find_at(client.clone(), run).await?.feed_from_now().await?;
    let from = check(&feed, from, || "see what it does with `penstock watch`".to_owned())?;
    let run = feed.run();
    match from {
        None => runs::retry(client, run).await?,
        Some(node) => runs::retry_from(client, run, task_id(run, &feed.state().path(node))).await?,
    }
    session::carry(context, client, feed, progress, Begin::WithNextFact).await
}
