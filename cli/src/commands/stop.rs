//! `penstock stop`: cancels a run, whoever drives it.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use penstock_driver::{DriveError, PodSettings, RunControl};
use penstock_metastore::Command;
use uuid::Uuid;

use crate::args::{ExecutionArgs, StopArgs};
use crate::context::Context;
use crate::failure::{self, Hinted};
use crate::feed::Feed;
use crate::opened::OpenRun;
use crate::progress::Stream;
use crate::remote::client::Client;
use crate::remote::runs;
use crate::tree::run_word;

/// Time between two looks whether somebody still drives the run.
const OWNER_CHECK: Duration = Duration::from_secs(2);

/// Records the command, and waits for the end. A run that nobody drives any more is brought to its end here.
pub(crate) async fn stop(context: &Context, args: StopArgs) -> anyhow::Result<ExitCode> {
    let StopArgs { run, no_wait, timeout, grace, pods, place: _ } = args;
    if let Some(client) = context.server()? {
        return remote(client, &run, no_wait, timeout).await;
    }
    // Nothing is started for a run that is cancelled, so how much could run at a time does not matter, nor what Pods get.
    let execution = ExecutionArgs { concurrency: None, python: None, grace };
    let (driver, run) = context.driver_of(&run, &execution, &pods, PodSettings::default()).await?;
    let mut feed = Feed::from_now(driver.metastore(), run).await?;
    if feed.state().status().is_final() {
        let word = run_word(feed.state().status()).1;
        Stream::Out.print(&format!("run {run} has ended already: {word}\n"));
        driver.close().await;
        return Ok(ExitCode::from(failure::SUCCEEDED));
    }
    let command = Command::Terminate { reason: "stopped by the user".to_owned() };
    let key = format!("stop-{}", Uuid::new_v4());
    driver.metastore().put_command(run, &key, &command).await.context("cannot record the command")?;

    let wait = async {
        loop {
            if !driver.is_driven(run) && !driver.is_driven_elsewhere(run).await? {
                Stream::Out.print(&format!("no process drives run {run} any more; cancelling it here\n"));
                match Box::pin(driver.drive(run, RunControl::new())).await {
                    Ok(_) => {}
                    // Somebody was faster.
                    Err(DriveError::Owned { .. }) => continue,
                    Err(error) => return Err(anyhow::Error::from(error)),
                }
            } else if no_wait {
                Stream::Out.print(&format!("run {run} is asked to stop\n"));
                return Ok(());
            }
            let check = tokio::time::Instant::now() + OWNER_CHECK;
            loop {
                feed.catch_up(|_, _| {}).await?;
                if feed.state().status().is_final() {
                    Stream::Out.print(&format!("run {run} {}\n", run_word(feed.state().status()).1));
                    return Ok(());
                }
                if tokio::time::Instant::now() >= check {
                    break;
                }
                feed.tick().await;
            }
        }
    };
    let result = tokio::time::timeout(timeout, wait).await.unwrap_or_else(|_| Err(late(run, timeout).into()));
    driver.close().await;
    result.map(|()| ExitCode::from(failure::SUCCEEDED))
}

fn late(run: Uuid, timeout: Duration) -> Hinted {
    let waited = humantime::format_duration(timeout);
    Hinted::new(
        format!("run {run} did not end within {waited}; the command is recorded and still holds"),
        "wait longer with --timeout, or see what it does with `penstock watch`",
    )
}

/// The same of a run that a server carries out.
async fn remote(client: Client, run: &str, no_wait: bool, timeout: Duration) -> anyhow::Result<ExitCode> {
    let mut feed = OpenRun::find_at(client.clone(), run).await?.feed_from_now().await?;
    let run = feed.run();
    if feed.state().status().is_final() {
        let word = run_word(feed.state().status()).1;
        Stream::Out.print(&format!("run {run} has ended already: {word}\n"));
        return Ok(ExitCode::from(failure::SUCCEEDED));
    }
    match runs::terminate(&client, run).await {
        Ok(()) => {}
        // It has ended meanwhile, or somebody else has asked.
        Err(error) if error.status() == Some(400) => {}
        Err(error) => return Err(error.into()),
    }
    if no_wait {
        Stream::Out.print(&format!("run {run} is asked to stop\n"));
        return Ok(ExitCode::from(failure::SUCCEEDED));
    }
    let wait = async {
        while !feed.state().status().is_final() {
            feed.tick().await;
            feed.catch_up(|_, _| {}).await?;
        }
        Stream::Out.print(&format!("run {run} {}\n", run_word(feed.state().status()).1));
        Ok(ExitCode::from(failure::SUCCEEDED))
    };
    tokio::time::timeout(timeout, wait).await.unwrap_or_else(|_| Err(late(run, timeout).into()))
}
