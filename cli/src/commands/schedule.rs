//! `penstock schedule`: what makes runs by itself, at a server.

mod apply;
mod show;

use std::process::ExitCode;

use penstock_spec::Timestamp;
use serde_json::{Value, json};

use crate::args::OutputFormat;
use crate::args::schedule::{BackfillArgs, ScheduleArgs, ScheduleCommand};
use crate::context::Context;
use crate::failure;
use crate::progress::Stream;
use crate::remote::client::Client;
use crate::remote::local::server_or_local;
use crate::remote::schedules::{self, Backfilled};
use crate::text::inert;

/// Carries out a command on schedules.
pub(crate) async fn schedule(context: &Context, args: ScheduleArgs) -> anyhow::Result<ExitCode> {
    let client = server_or_local(context, "schedule").await?;
    match args.command {
        ScheduleCommand::Apply(args) => Box::pin(apply::apply(context, &client, *args)).await?,
        ScheduleCommand::List { output } => show::list(context, &client, output).await?,
        ScheduleCommand::Get { schedule, output } => show::get(&client, &schedule, output).await?,
        ScheduleCommand::Pause { schedule } => set_enabled(&client, &schedule, false).await?,
        ScheduleCommand::Resume { schedule } => set_enabled(&client, &schedule, true).await?,
        ScheduleCommand::RunNow { schedule } => run_now(&client, &schedule).await?,
        ScheduleCommand::Backfill(args) => backfill(&client, args).await?,
        ScheduleCommand::Delete { schedule } => delete(&client, &schedule).await?,
    }
    Ok(ExitCode::from(failure::SUCCEEDED))
}

async fn set_enabled(client: &Client, word: &str, enabled: bool) -> anyhow::Result<()> {
    let schedule = schedules::find(client, word).await?;
    schedules::enable(client, schedule.id(), enabled).await?;
    let done = match (schedule.is_enabled() == enabled, enabled) {
        (true, true) => "was not paused",
        (true, false) => "was paused already",
        (false, true) => "goes on",
        (false, false) => "is paused",
    };
    Stream::Out.print(&format!("schedule {} {done}\n", inert(schedule.name())));
    Ok(())
}

async fn run_now(client: &Client, word: &str) -> anyhow::Result<()> {
    let schedule = schedules::find(client, word).await?;
    let run = schedules::run_now(client, schedule.id()).await?;
    Stream::Out.print(&format!("{}\n", text(&run, "run_id")));
    Ok(())
}

async fn backfill(client: &Client, args: BackfillArgs) -> anyhow::Result<()> {
    let BackfillArgs { schedule, from, to, cancel, output } = args;
    let schedule = schedules::find(client, &schedule).await?;
    let Some(from) = from.filter(|_| !cancel) else {
        schedules::cancel_backfill(client, schedule.id()).await?;
        Stream::Out.print(&format!("no slot of schedule {} waits for room any more\n", inert(schedule.name())));
        return Ok(());
    };
    let Backfilled { runs, waiting_times } =
        schedules::backfill(client, schedule.id(), from, to.unwrap_or_else(Timestamp::now)).await?;
    let text = match output {
        OutputFormat::Json => {
            let runs: Vec<Value> = runs
                .iter()
                .map(|run| json!({"run_id": text(run, "run_id"), "scheduled_at": text(run, "scheduled_at")}))
                .collect();
            serde_json::to_string_pretty(&json!({ "runs": runs, "waiting_times": waiting_times }))? + "\n"
        }
        OutputFormat::Text if runs.is_empty() && waiting_times.is_empty() => "no slot was without a run\n".to_owned(),
        OutputFormat::Text => {
            let runs = runs.iter().map(|run| format!("{}  {}\n", text(run, "scheduled_at"), text(run, "run_id")));
            let room = inert(schedule.text("max_concurrency"));
            let waiting = waiting_times.iter().map(|at| format!("{at}  waits: {room} at a time\n"));
            runs.chain(waiting).collect()
        }
    };
    Stream::Out.print(&text);
    Ok(())
}

async fn delete(client: &Client, word: &str) -> anyhow::Result<()> {
    let schedule = schedules::find(client, word).await?;
    schedules::delete(client, schedule.id()).await?;
    Stream::Out.print(&format!("schedule {} is deleted; its runs stay\n", inert(schedule.name())));
    Ok(())
}

fn text(object: &Value, name: &str) -> String {
    inert(object.get(name).and_then(Value::as_str).unwrap_or_default())
}
