//! `penstock watch`: follows a run that another process drives.

use std::process::ExitCode;

use crate::args::WatchArgs;
use crate::context::Context;
use crate::feed::Feed;
use crate::session;

/// Shows the run until it ends; its result is ours.
pub(crate) async fn watch(context: &Context, args: WatchArgs) -> anyhow::Result<ExitCode> {
    let WatchArgs { run, progress } = args;
    let (metastore, run) = context.find_run(&run).await?;
    let feed = Feed::from_start(&metastore, run).await?;
    let result = session::watch(context, feed, &progress).await;
    metastore.close().await;
    result
}
