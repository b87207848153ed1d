//! Recurring runs. They refer to experiments and pipelines, which have other ids here.
//!
//! Names are no identity: several may have one. What is there already is told by its name and its content together, and each
//! that is there stands for one of the source alone.

use std::collections::HashMap;

use penstock_spec::keys::KFP_SERVICE_ACCOUNT;
use penstock_spec::value::canonicalize;
use serde_json::{Map, Value, json};

use super::Import;
use super::catalog::{Place, Places, members, text};
use super::pipelines::Pipelines;
use super::report::{Outcome, Report};
use crate::remote::catalog::Pages;
use crate::remote::client::Client;
use crate::remote::error::RemoteError;
use crate::remote::schedules;

const KIND: &str = "recurring run";
/// What makes two recurring runs of one name the same.
const CONTENT: [&str; 10] = [
    "description",
    "experiment_id",
    "pipeline_version_reference",
    "pipeline_spec",
    "runtime_config",
    "service_account",
    "max_concurrency",
    "trigger",
    "no_catchup",
    "plugins_input",
];

/// One of the source, as it is to be here.
struct Wanted {
    name: String,
    body: Map<String, Value>,
    enabled: bool,
}

/// The contents of those that are here and that none of the source was found to be, by name.
#[derive(Debug, Default)]
struct There(HashMap<String, Vec<Value>>);

impl There {
    async fn read(to: &Client) -> Result<There, RemoteError> {
        let mut there = There::default();
        let mut pages = Pages::of(to, &["recurringruns"], "recurringRuns", "50");
        while let Some(items) = pages.next().await? {
            for item in items {
                there.put(text(&item, "display_name"), &members(&item, &CONTENT));
            }
        }
        Ok(there)
    }

    fn put(&mut self, name: &str, body: &Map<String, Value>) {
        self.0.entry(name.to_owned()).or_default().push(content(body));
    }

    /// Takes the one that is the same.
    fn take(&mut self, name: &str, body: &Map<String, Value>) -> bool {
        let Some(contents) = self.0.get_mut(name) else { return false };
        let content = content(body);
        match contents.iter().position(|there| *there == content) {
            Some(index) => {
                contents.swap_remove(index);
                true
            }
            None => false,
        }
    }

    /// Whether there is another one, which may be what somebody has made of one that came before.
    fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|contents| !contents.is_empty())
    }
}

/// What is compared: numbers are written in several ways, and some servers do not show the account that runs have unless
/// another one is named.
fn content(body: &Map<String, Value>) -> Value {
    let mut content = body.clone();
    content.entry("service_account").or_insert_with(|| json!(KFP_SERVICE_ACCOUNT));
    let mut content = Value::Object(content);
    canonicalize(&mut content);
    content
}

/// Brings recurring runs over.
pub(super) async fn recurring_runs(
    import: &Import,
    experiments: &Places,
    pipelines: &Pipelines,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut there = There::read(&import.to).await?;
    let mut missing = Vec::new();
    let mut pages = Pages::of(&import.from, &["recurringruns"], "recurringRuns", "20");
    while let Some(items) = pages.next().await? {
        for item in items {
            let name = text(&item, "display_name").to_owned();
            match translated(&item, experiments, pipelines) {
                Ok(body) if there.take(&name, &body) => report.add(KIND, &name, Outcome::Skipped, ""),
                Ok(body) => {
                    missing.push(Wanted { name, body, enabled: import.enable && text(&item, "mode") == "ENABLE" });
                }
                Err(reason) => report.add(KIND, &name, Outcome::Failed, reason),
            }
        }
    }
    // Only now is it known which of those that are here are none of them.
    for Wanted { name, mut body, enabled } in missing {
        if there.has(&name) {
            report.add(KIND, &name, Outcome::Conflict, "the one here of this name is another");
            continue;
        }
        let note = if enabled { "" } else { "paused" };
        if import.dry_run {
            report.add(KIND, &name, Outcome::Created, note);
            continue;
        }
        body.insert("display_name".to_owned(), json!(name));
        body.insert("mode".to_owned(), json!(if enabled { "ENABLE" } else { "DISABLE" }));
        match schedules::import(&import.to, &Value::Object(body)).await {
            Ok(()) => report.add(KIND, &name, Outcome::Created, note),
            Err(error) => drop(report.add_failure(KIND, &name, error)?),
        }
    }
    Ok(())
}

/// What it is here. What is not known here is named.
fn translated(item: &Value, experiments: &Places, pipelines: &Pipelines) -> Result<Map<String, Value>, String> {
    if let Some(message) = item.pointer("/error/message").and_then(Value::as_str) {
        return Err(format!("the source cannot show it: {message}"));
    }
    let mut body = members(item, &CONTENT);
    let translate = |places: &Places, what: &str, id: &str| match places.get(id) {
        Some(Place::Here(here)) => Ok(json!(here)),
        Some(Place::Later) => Ok(json!(id)),
        Some(Place::Nowhere(reason)) => Err(format!("its {what} was not brought over: {reason}")),
        None => Err(format!("its {what} {id} is none that the source lists")),
    };
    if let Some(id) = body.get("experiment_id").and_then(Value::as_str).map(str::to_owned) {
        body.insert("experiment_id".to_owned(), translate(experiments, "experiment", &id)?);
    }
    if let Some(Value::Object(reference)) = body.get_mut("pipeline_version_reference") {
        for (name, what, places) in [
            ("pipeline_id", "pipeline", &pipelines.pipelines),
            ("pipeline_version_id", "pipeline version", &pipelines.versions),
        ] {
            if let Some(id) = reference.get(name).and_then(Value::as_str).map(str::to_owned) {
                reference.insert(name.to_owned(), translate(places, what, &id)?);
            }
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_this_server() {
        let here = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(from, to)| ((*from).to_owned(), Place::Here((*to).to_owned()))).collect::<Places>()
        };
        let (mut experiments, versions) = (here(&[("e", "E")]), here(&[("v", "V")]));
        let pipelines = Pipelines { pipelines: here(&[("p", "P")]), versions };
        let item = json!({
            "display_name": "n", "experiment_id": "e", "mode": "ENABLE", "status": "ENABLED", "max_concurrency": "1",
            "pipeline_version_reference": {"pipeline_id": "p", "pipeline_version_id": "v"},
        });
        let body = translated(&item, &experiments, &pipelines).expect("it is known");
        let expected = json!({
            "experiment_id": "E", "max_concurrency": "1",
            "pipeline_version_reference": {"pipeline_id": "P", "pipeline_version_id": "V"},
        });
        assert_eq!(Value::Object(body), expected);
        let unknown =
            translated(&json!({"pipeline_version_reference": {"pipeline_id": "x"}}), &experiments, &pipelines);
        assert_eq!(unknown.unwrap_err(), "its pipeline x is none that the source lists");
        experiments.insert("e".to_owned(), Place::Nowhere("it is too long".to_owned()));
        let left = translated(&item, &experiments, &pipelines).unwrap_err();
        assert_eq!(left, "its experiment was not brought over: it is too long");
    }

    #[test]
    fn what_a_server_leaves_out_is_its_default() {
        let mut there = There::default();
        let here = json!({"trigger": {}, "max_concurrency": "1", "service_account": "pipeline-runner"});
        there.put("a", &members(&here, &CONTENT));
        let at_the_source = json!({"trigger": null, "max_concurrency": "1", "plugins_input": {}, "no_catchup": false});
        assert!(there.take("a", &members(&at_the_source, &CONTENT)));
    }

    #[test]
    fn each_that_is_there_stands_for_one_alone() {
        let body = |n: Value| members(&json!({"trigger": {"periodic_schedule": {"n": n}}}), &CONTENT);
        let mut there = There::default();
        assert!(!there.has("a") && !there.take("a", &body(json!(1))));
        for n in [1, 1, 2] {
            there.put("a", &body(json!(n)));
        }
        assert!(!there.take("b", &body(json!(1))));
        assert!(there.take("a", &body(json!(1.0))) && there.take("a", &body(json!(1))));
        assert!(!there.take("a", &body(json!(1))));
        assert!(there.has("a") && there.take("a", &body(json!(2))) && !there.has("a"));
    }
}
