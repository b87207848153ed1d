//! `penstock import`: brings pipelines, versions, experiments and recurring runs over from a server that speaks KFP's API.
//!
//! What is there already under the same name is left as it is, so a second import goes on where a first one broke off.

mod catalog;
mod pipelines;
mod recurring;
mod report;

use std::process::ExitCode;

use crate::args::schedule::ImportArgs;
use crate::context::Context;
use crate::failure;
use crate::remote::client::Client;
use crate::remote::local::server_or_local;
use crate::remote::place::Named;
use report::Report;

/// Two servers, and what may be done.
struct Import {
    from: Client,
    to: Client,
    enable: bool,
    dry_run: bool,
}

/// Brings everything over and prints what became of it.
pub(crate) async fn import(context: &Context, args: ImportArgs) -> anyhow::Result<ExitCode> {
    let to = server_or_local(context, "import").await?.named(Named::Target);
    let from = context.import_source(&args)?;
    let import = Import { from, to, enable: args.enable, dry_run: args.dry_run };
    let mut report = Report::default();
    let done = carry_out(&import, &mut report).await;
    // What was brought over before it broke off is there.
    if done.is_ok() || !report.is_empty() {
        report.print(args.output, args.dry_run, context.color_out)?;
    }
    done.map_err(|error| error.context("the import broke off; started again, it goes on from here"))?;
    Ok(ExitCode::from(if report.is_clean() { failure::SUCCEEDED } else { failure::FAILED }))
}

async fn carry_out(import: &Import, report: &mut Report) -> anyhow::Result<()> {
    let experiments = catalog::experiments(import, report).await?;
    let pipelines = pipelines::pipelines(import, report).await?;
    recurring::recurring_runs(import, &experiments, &pipelines, report).await
}
