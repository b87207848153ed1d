//! `penstock watch`: follows a run that another process drives.

use std::process::ExitCode;

use crate::args::WatchArgs;
use crate::context::Context;
use crate::opened::OpenRun;
use crate::session;

/// Shows the run until it ends; its result is ours.
pub(crate) async fn watch(context: &Context, args: WatchArgs) -> anyhow::Result<ExitCode> {
    let WatchArgs { run, progress, place: _ } = args;
    let run = OpenRun::find(context, &run).await?;
    let feed = run.feed_from_start().await?;
    let result = session::watch(context, feed, &progress).await;
    run.close().await;
    result
}
