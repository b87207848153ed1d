//! `penstock get`: one run as it is now.

use std::process::ExitCode;

use console::Term;
use penstock_driver::is_driven;
use penstock_spec::Timestamp;

use crate::abandoned;
use crate::args::{GetArgs, OutputFormat};
use crate::context::Context;
use crate::failure;
use crate::feed::Feed;
use crate::json::RunDocument;
use crate::progress::Stream;
use crate::summary::Summary;
use crate::text::inert;
use crate::tree::Tree;
use crate::waiting::Waiting;

/// Prints the tree and the summary, or the document.
pub(crate) async fn get(context: &Context, args: GetArgs) -> anyhow::Result<ExitCode> {
    let GetArgs { run, output, expand } = args;
    let (metastore, run) = context.find_run(&run).await?;
    let feed = Feed::from_now(&metastore, run).await?;
    let state = feed.state();
    match output {
        OutputFormat::Json => RunDocument::new(feed.info(), feed.on_kubernetes(), state).print(),
        OutputFormat::Text => {
            let term = Term::stdout();
            // Elsewhere than on a terminal nothing is cut.
            let width = if term.is_term() { usize::from(term.size().1.max(20)) } else { usize::MAX };
            let lines = Tree::new(expand).lines(state, &Waiting::new(), Timestamp::now(), None);
            let tree: String = lines.iter().map(|line| line.render(context.color_out, width) + "\n").collect();
            let summary = Summary::gather(context, &feed).await.text(context.color_out, false);
            let place = match feed.on_kubernetes() {
                true => format!("\n  on Kubernetes, namespace {}\n", inert(&feed.info().namespace)),
                false => String::new(),
            };
            Stream::Out.print(&format!("{tree}{place}{summary}"));
            if !state.status().is_final() && !is_driven(&context.data_dir, run) {
                Stream::Out.print(&format!("\n  no process drives the run; {}\n", abandoned::hint(run)));
            }
        }
    }
    metastore.close().await;
    Ok(ExitCode::from(failure::SUCCEEDED))
}
