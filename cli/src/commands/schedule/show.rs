//! Schedules as people and scripts see them.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

use crate::args::OutputFormat;
use crate::context::Context;
use crate::progress::Stream;
use crate::remote::client::Client;
use crate::remote::schedules::{self, Schedule};
use crate::text::inert;

/// Prints all of them.
pub(super) async fn list(context: &Context, client: &Client, output: OutputFormat) -> anyhow::Result<()> {
    let all = schedules::all(client).await?;
    let text = match output {
        OutputFormat::Json => {
            let all: Vec<Value> = all.into_iter().map(|schedule| schedule.0).collect();
            serde_json::to_string_pretty(&json!({ "schedules": all }))? + "\n"
        }
        OutputFormat::Text if all.is_empty() => format!("no schedules at {}\n", client.url()),
        OutputFormat::Text => table(context, &all),
    };
    Stream::Out.print(&text);
    Ok(())
}

fn table(context: &Context, all: &[Schedule]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if !context.color_out {
        table.force_no_tty();
    }
    table.set_header(["NAME", "STATE", "WHEN", "ID"]);
    for schedule in all {
        let cells = [inert(schedule.name()), state(schedule).to_owned(), schedule.trigger(), inert(schedule.id())];
        table.add_row(cells);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.to_string().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

pub(super) fn state(schedule: &Schedule) -> &'static str {
    if schedule.is_enabled() { "enabled" } else { "paused" }
}

/// Prints one, and when it is due.
pub(super) async fn get(client: &Client, word: &str, output: OutputFormat) -> anyhow::Result<()> {
    let Schedule(mut schedule) = schedules::find(client, word).await?;
    let id = schedule.get("recurring_run_id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let next = schedules::next(client, &id).await?;
    let text = match output {
        OutputFormat::Json => {
            schedule["next_times"] = json!(next);
            serde_json::to_string_pretty(&schedule)? + "\n"
        }
        OutputFormat::Text => {
            let schedule = Schedule(schedule);
            let mut lines = vec![
                format!("{}  {}", inert(schedule.name()), state(&schedule)),
                format!("  id           {}", inert(schedule.id())),
                format!("  when         {}", schedule.trigger()),
                format!("  pipeline     {}", source(&schedule)),
                format!("  at a time    {}", inert(schedule.text("max_concurrency"))),
            ];
            if schedule.0.get("no_catchup").is_some() {
                lines.push("  catching up  the latest of several missed slots alone".to_owned());
            }
            if !schedule.text("description").is_empty() {
                lines.push(format!("  description  {}", inert(schedule.text("description"))));
            }
            if let Some(Value::Object(parameters)) = schedule.0.pointer("/runtime_config/parameters") {
                lines.extend(parameters.iter().map(|(name, value)| inert(&format!("  parameter    {name} = {value}"))));
            }
            if let Some(error) = schedule.0.pointer("/error/message").and_then(Value::as_str) {
                lines.push(format!("  error        {}", inert(error)));
            }
            lines.extend(next.iter().map(|at| format!("  next         {at}")));
            lines.iter().map(|line| format!("{line}\n")).collect()
        }
    };
    Stream::Out.print(&text);
    Ok(())
}

fn source(schedule: &Schedule) -> String {
    let reference = |name: &str| schedule.0.get("pipeline_version_reference")?.get(name)?.as_str().map(inert);
    match (reference("pipeline_id"), reference("pipeline_version_id")) {
        (Some(pipeline), Some(version)) => format!("{pipeline}, version {version}"),
        (Some(pipeline), None) => format!("{pipeline}, its latest version"),
        (None, _) => {
            let name = |pointer: &str| schedule.0.pointer(pointer).and_then(Value::as_str).map(inert);
            let inner = name("/pipeline_spec/pipelineInfo/name");
            let name = inner.or_else(|| name("/pipeline_spec/pipeline_spec/pipelineInfo/name"));
            format!("{}, as it was given", name.unwrap_or_else(|| "?".to_owned()))
        }
    }
}
