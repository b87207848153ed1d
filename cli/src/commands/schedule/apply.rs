//! `penstock schedule apply`: creates a schedule, or changes the one of that name; asked twice, it changes nothing twice.

mod wanted;

use std::path::Path;

use penstock_spec::Timestamp;
use penstock_spec::ir::{InputParameter, Named};
use penstock_spec::limits::Limits;
use penstock_spec::parse;
use serde_json::{Map, Value, json};

use crate::args::OutputFormat;
use crate::args::schedule::ApplyArgs;
use crate::commands::run::{Compiling, pipeline};
use crate::context::Context;
use crate::failure::Refusal;
use crate::progress::Stream;
use crate::remote::catalog;
use crate::remote::client::Client;
use crate::remote::document::{self, Caching};
use crate::remote::experiments;
use crate::remote::schedules::{self, Schedule, trigger_text};
use crate::text::{fit, inert};

/// Columns of a value that is shown as changed.
const SHOWN: usize = 60;

/// What the runs are made from.
struct Source {
    /// Member of a recurring run, and its value.
    member: &'static str,
    value: Value,
    /// Name of the pipeline.
    name: String,
    /// Parameters that it takes.
    takes: Named<InputParameter>,
}

/// Applies.
pub(super) async fn apply(context: &Context, client: &Client, args: ApplyArgs) -> anyhow::Result<()> {
    let source = match &args.pipeline {
        Some(word) => Some(source(context, client, word, &args).await?),
        None => None,
    };
    let name = args.name.clone().or_else(|| source.as_ref().map(|source| source.name.clone())).ok_or_else(|| {
        Refusal::new("there is nothing to apply").with_hint("name a FILE or a PIPELINE, or a schedule with --name")
    })?;
    let existing = schedules::named(client, &name).await?;
    let wanted = wanted::wanted(&args, source.as_ref(), existing.as_ref())?;
    let done = match &existing {
        None => create(client, &args, name, source, wanted).await?,
        Some(before) => change(client, &args, before, wanted).await?,
    };
    done.print(&args)
}

/// What was done, or would be.
struct Done {
    action: &'static str,
    name: String,
    id: Option<String>,
    changes: Vec<Difference>,
    next: Vec<Timestamp>,
    is_paused: bool,
}

/// A member that changes.
#[derive(Debug, PartialEq)]
struct Difference {
    member: String,
    from: Value,
    to: Value,
}

impl Done {
    fn print(&self, args: &ApplyArgs) -> anyhow::Result<()> {
        let text = match args.output {
            OutputFormat::Json => {
                let changes: Vec<Value> = self
                    .changes
                    .iter()
                    .map(|change| json!({"member": change.member, "from": change.from, "to": change.to}))
                    .collect();
                let document = json!({
                    "action": self.action, "dry_run": args.dry_run, "name": self.name, "recurring_run_id": self.id,
                    "changes": changes, "next_times": self.next, "paused": self.is_paused,
                });
                serde_json::to_string_pretty(&document)? + "\n"
            }
            OutputFormat::Text => {
                let word = match (self.action, args.dry_run) {
                    ("unchanged", _) => "is as it should be",
                    ("created", true) => "would be created",
                    ("created", false) => "is created",
                    (_, true) => "would be changed",
                    (_, false) => "is changed",
                };
                let paused = if self.is_paused { ", paused" } else { "" };
                let mut text = format!("schedule {} {word}{paused}\n", inert(&self.name));
                for Difference { member, from, to } in &self.changes {
                    text.push_str(&format!("  {}: {} -> {}\n", inert(member), shown(member, from), shown(member, to)));
                }
                text.extend(self.next.iter().map(|at| format!("  next {at}\n")));
                text
            }
        };
        Stream::Out.print(&text);
        Ok(())
    }
}

fn shown(member: &str, value: &Value) -> String {
    let text = match (member, value) {
        ("trigger", trigger) => trigger_text(trigger),
        ("pipeline_spec", Value::Object(_)) => "another pipeline".to_owned(),
        (_, Value::Null) => "nothing".to_owned(),
        (_, Value::String(text)) => text.clone(),
        (_, value) => value.to_string(),
    };
    fit(&inert(&text), SHOWN)
}

/// A file, or else a pipeline of the server.
async fn source(context: &Context, client: &Client, word: &str, args: &ApplyArgs) -> anyhow::Result<Source> {
    let file = Path::new(word);
    if file.exists() {
        let how = Compiling { function: args.function.as_deref(), timeout: args.compile_timeout };
        let (checked, text) = pipeline(context, file, &how, args.python.as_deref()).await?;
        return Ok(Source {
            member: "pipeline_spec",
            value: document::pipeline_spec(&text, Caching::AsWritten)?,
            name: checked.spec.pipeline_info.name.clone(),
            takes: checked.spec.root.input_definitions.parameters.clone(),
        });
    }
    let Some(found) = catalog::pipeline(client, word).await? else {
        return Err(Refusal::new(format!(
            "{} is no file, and {} has no pipeline of that name",
            inert(word),
            client.url()
        ))
        .into());
    };
    let text = catalog::latest_spec(client, &found.pipeline_id).await?.to_string();
    let documents = parse::parse(&text, &Limits::default())
        .map_err(|error| Refusal::new(format!("the pipeline {} cannot be read: {error}", inert(word))))?;
    Ok(Source {
        member: "pipeline_version_reference",
        value: json!({ "pipeline_id": found.pipeline_id }),
        name: found.display_name,
        takes: documents.pipeline.root.input_definitions.parameters.clone(),
    })
}

async fn create(
    client: &Client,
    args: &ApplyArgs,
    name: String,
    source: Option<Source>,
    mut wanted: Map<String, Value>,
) -> anyhow::Result<Done> {
    if source.is_none() {
        return Err(Refusal::new(format!("there is no schedule {} yet", inert(&name)))
            .with_hint("name the FILE or PIPELINE that it is to run")
            .into());
    }
    let Some(trigger) = wanted.get("trigger").cloned() else {
        return Err(Refusal::new(format!("it is not said when {} is to run", inert(&name)))
            .with_hint("say it with --cron, --every or --at; `penstock run` runs it at once")
            .into());
    };
    wanted.entry("max_concurrency").or_insert_with(|| json!("1"));
    wanted.insert("display_name".to_owned(), json!(name));
    wanted.insert("mode".to_owned(), json!(if args.paused { "DISABLE" } else { "ENABLE" }));
    let no_catchup = args.no_catchup.unwrap_or_default();
    let next = schedules::preview(client, &trigger, no_catchup).await?;
    let id = match args.dry_run {
        true => None,
        false => {
            if let Some(experiment) = experiments::for_new(client, args.experiment.as_deref()).await? {
                wanted.insert("experiment_id".to_owned(), json!(experiment));
            }
            Some(schedules::create(client, &Value::Object(wanted)).await?.id().to_owned())
        }
    };
    Ok(Done { action: "created", name, id, changes: Vec::new(), next, is_paused: args.paused })
}

async fn change(
    client: &Client,
    args: &ApplyArgs,
    before: &Schedule,
    wanted: Map<String, Value>,
) -> anyhow::Result<Done> {
    if let Some(experiment) = &args.experiment
        && experiments::found(client, experiment).await?.as_deref() != Some(before.text("experiment_id"))
    {
        let text = format!("schedule {} is of another experiment, and stays there", inert(before.name()));
        return Err(Refusal::new(text).with_hint("make another one with --name").into());
    }
    let changes = differences(&before.0, &wanted);
    let pauses = args.paused && before.is_enabled();
    let changed: Map<String, Value> =
        wanted.into_iter().filter(|(name, _)| changes.iter().any(|change| root_of(&change.member) == name)).collect();
    let trigger = changed.get("trigger").cloned();
    if !args.dry_run {
        if pauses {
            schedules::enable(client, before.id(), false).await?;
        }
        if !changed.is_empty() {
            schedules::change(client, before.id(), &Value::Object(changed)).await?;
        }
    }
    let next = match (args.dry_run, trigger) {
        (true, Some(trigger)) => {
            let no_catchup = args.no_catchup.unwrap_or(before.0.get("no_catchup").is_some());
            schedules::preview(client, &trigger, no_catchup).await?
        }
        _ => schedules::next(client, before.id()).await?,
    };
    let mut changes = changes;
    if pauses {
        changes.push(Difference { member: "mode".to_owned(), from: json!("ENABLE"), to: json!("DISABLE") });
    }
    let action = if changes.is_empty() { "unchanged" } else { "changed" };
    let (name, id) = (before.name().to_owned(), Some(before.id().to_owned()));
    Ok(Done { action, name, id, changes, next, is_paused: pauses || !before.is_enabled() })
}

/// The member of the request that a difference is in.
fn root_of(member: &str) -> &str {
    if member.starts_with("parameter ") { "runtime_config" } else { member }
}

/// What differs from what there is. Members that are not named are not looked at.
fn differences(before: &Value, wanted: &Map<String, Value>) -> Vec<Difference> {
    let mut found = Vec::new();
    for (name, to) in wanted {
        if name == "runtime_config" {
            parameter_differences(before, to, &mut found);
            continue;
        }
        let from = before.get(name).cloned().unwrap_or(Value::Null);
        // What has its default is not shown.
        let is_default = from.is_null() && [json!(false), json!(""), json!({})].contains(to);
        if !is_default && !is_same(&from, to) {
            found.push(Difference { member: name.clone(), from, to: to.clone() });
        }
    }
    found
}

fn parameter_differences(before: &Value, to: &Value, found: &mut Vec<Difference>) {
    let of = |config: Option<&Value>| {
        let parameters = config.and_then(|config| config.get("parameters")).and_then(Value::as_object);
        parameters.cloned().unwrap_or_default()
    };
    let (old, new) = (of(before.get("runtime_config")), of(Some(to)));
    let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
    for name in names {
        let value = |of: &Map<String, Value>| of.get(name).cloned().unwrap_or(Value::Null);
        let (from, to) = (value(&old), value(&new));
        if !is_same(&from, &to) {
            found.push(Difference { member: format!("parameter {name}"), from, to });
        }
    }
}

/// Whether two values are one: the server writes numbers as doubles.
fn is_same(one: &Value, other: &Value) -> bool {
    let mut values = [one.clone(), other.clone()];
    values.iter_mut().for_each(penstock_spec::value::canonicalize);
    values[0] == values[1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_and_differs_is_a_change() {
        let before = json!({
            "display_name": "n", "max_concurrency": "1", "trigger": {"cron_schedule": {"cron": "@daily"}},
            "runtime_config": {"parameters": {"a": 1, "b": "x"}},
        });
        let wanted = |value: Value| value.as_object().cloned().unwrap_or_default();
        let same = wanted(json!({
            "max_concurrency": "1", "no_catchup": false, "description": "", "plugins_input": {},
            "runtime_config": {"parameters": {"a": 1.0, "b": "x"}},
        }));
        assert_eq!(differences(&before, &same), []);
        let other = wanted(
            json!({"trigger": {"cron_schedule": {"cron": "@hourly"}}, "runtime_config": {"parameters": {"a": 2}}}),
        );
        let found = differences(&before, &other);
        let members: Vec<&str> = found.iter().map(|change| change.member.as_str()).collect();
        for member in ["trigger", "parameter a", "parameter b"] {
            assert!(members.contains(&member), "{members:?}");
        }
        assert_eq!(members.len(), 3, "{members:?}");
    }
}
