//! `penstock get`: one run as it is now.

mod artifacts;

use std::process::ExitCode;

use console::Term;
use penstock_spec::Timestamp;

use crate::abandoned::{self, DriverWatch};
use crate::args::{GetArgs, OutputFormat};
use crate::context::Context;
use crate::failure;
use crate::feed::Feed;
use crate::json::RunDocument;
use crate::opened::OpenRun;
use crate::pod_look::Glance;
use crate::progress::Stream;
use crate::style::Line;
use crate::summary::Summary;
use crate::text::inert;
use crate::tree::Tree;
use crate::waiting::Waiting;

/// Prints the tree and the summary, or the document.
pub(crate) async fn get(context: &Context, args: GetArgs) -> anyhow::Result<ExitCode> {
    let GetArgs { run, output, expand, place: _ } = args;
    let opened = OpenRun::find(context, &run).await?;
    let mut feed = opened.feed_from_now().await?;
    let run = feed.run();
    let (waiting, not_known) = match waits(context, &mut feed).await {
        Ok(waiting) => (waiting, None),
        Err(error) => (Waiting::new(), Some(format!("{error:#}"))),
    };
    let state = feed.state();
    match output {
        OutputFormat::Json => {
            let document = RunDocument::new(feed.info(), feed.options(), state);
            document.with_waiting(waiting).with_remarks(feed.remarks().await).print();
        }
        OutputFormat::Text => {
            let term = Term::stdout();
            // Elsewhere than on a terminal nothing is cut.
            let width = if term.is_term() { usize::from(term.size().1.max(20)) } else { usize::MAX };
            let text = |lines: &[Line]| -> String {
                lines.iter().map(|line| line.render(context.color_out, width) + "\n").collect()
            };
            let tree = text(&Tree::new(expand).lines(state, &waiting, Timestamp::now(), None));
            let artifacts = text(&artifacts::lines(run, state));
            let summary = Summary::gather(context, &feed).await.text(context.color_out, false);
            let place = match feed.on_kubernetes() {
                true => format!("\n  on Kubernetes, namespace {}\n", inert(&feed.info().namespace)),
                false => String::new(),
            };
            Stream::Out.print(&format!("{tree}{place}{artifacts}{summary}"));
            if let Some(reason) = not_known {
                Stream::Err.print(&format!("what its Pods wait for cannot be told: {}\n", inert(&reason)));
            }
            let is_here = feed.client().is_none();
            if is_here && !state.status().is_final() && DriverWatch::new(context).is_left(&feed).await? {
                Stream::Out.print(&format!("\n  no process drives the run; {}\n", abandoned::hint(run)));
            }
        }
    }
    opened.close().await;
    Ok(ExitCode::from(failure::SUCCEEDED))
}

/// What attempts wait for that are Pods. Facts are read again after the look, so that no attempt that has ended meanwhile
/// is taken for one that has no Pod yet.
async fn waits(context: &Context, feed: &mut Feed) -> anyhow::Result<Waiting> {
    if feed.client().is_some() || !feed.on_kubernetes() || feed.state().status().is_final() {
        return Ok(Waiting::new());
    }
    let glance = Glance::take(context, feed.info(), feed.state()).await?;
    feed.catch_up(|_, _| {}).await?;
    Ok(glance.waiting(feed.state()))
}
