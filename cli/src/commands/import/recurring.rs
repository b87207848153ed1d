//! Recurring runs. They refer to experiments and pipelines, which have other ids here.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::Import;
use super::catalog::{Ids, Pipelines, is_same, members, text};
use super::report::{Outcome, Report};
use crate::remote::catalog::{self, Pages};

const KIND: &str = "recurring run";
/// What makes two recurring runs of one name the same.
const CONTENT: [&str; 9] = [
    "description",
    "experiment_id",
    "pipeline_version_reference",
    "pipeline_spec",
    "runtime_config",
    "service_account",
    "max_concurrency",
    "trigger",
    "no_catchup",
];

/// Brings recurring runs over.
pub(super) async fn recurring_runs(
    import: &Import<'_>,
    experiments: &Ids,
    pipelines: &Pipelines,
    report: &mut Report,
) -> anyhow::Result<()> {
    let there = Pages::of(&import.to, &["recurringruns"], "recurringRuns", "50").all().await?;
    let mut here: HashMap<String, Vec<Value>> = HashMap::new();
    for item in there {
        here.entry(text(&item, "display_name").to_owned()).or_default().push(item);
    }
    let mut pages = Pages::of(&import.from, &["recurringruns"], "recurringRuns", "20").within(import.namespace);
    while let Some(items) = pages.next().await? {
        for item in items {
            let name = text(&item, "display_name").to_owned();
            let body = match translated(&item, experiments, pipelines) {
                Ok(body) => body,
                Err(reason) => {
                    report.add(KIND, &name, Outcome::Failed, reason);
                    continue;
                }
            };
            let same_name = here.entry(name.clone()).or_default();
            if same_name.iter().any(|there| has_content(there, &body)) {
                report.add(KIND, &name, Outcome::Skipped, "");
                continue;
            }
            if !same_name.is_empty() {
                report.add(KIND, &name, Outcome::Conflict, "the one here of this name is another");
                continue;
            }
            let enabled = import.enable && text(&item, "mode") == "ENABLE";
            let note = if enabled { "" } else { "paused" };
            if import.dry_run {
                same_name.push(Value::Object(body));
                report.add(KIND, &name, Outcome::Created, note);
                continue;
            }
            let mut wanted = body;
            wanted.insert("display_name".to_owned(), json!(name));
            wanted.insert("mode".to_owned(), json!(if enabled { "ENABLE" } else { "DISABLE" }));
            match catalog::create(&import.to, "recurringruns", &Value::Object(wanted)).await {
                Ok(made) => {
                    same_name.push(made);
                    report.add(KIND, &name, Outcome::Created, note);
                }
                Err(error) => report.add_failure(KIND, &name, error)?,
            }
        }
    }
    Ok(())
}

/// What it is here. What is not known here is named.
fn translated(item: &Value, experiments: &Ids, pipelines: &Pipelines) -> Result<Map<String, Value>, String> {
    if let Some(message) = item.pointer("/error/message").and_then(Value::as_str) {
        return Err(format!("the source cannot show it: {message}"));
    }
    let mut body = members(item, &CONTENT);
    let translate = |ids: &Ids, what: &str, id: &str| match ids.get(id) {
        Some(Some(here)) => Ok(json!(here)),
        // In a dry run it is not there yet.
        Some(None) => Ok(json!(id)),
        None => Err(format!("its {what} {id} was not brought over")),
    };
    if let Some(id) = body.get("experiment_id").and_then(Value::as_str).map(str::to_owned) {
        // One that was deleted at the source has no name there either.
        body.insert("experiment_id".to_owned(), translate(experiments, "experiment", &id)?);
    }
    if let Some(Value::Object(reference)) = body.get_mut("pipeline_version_reference") {
        for (name, what, ids) in [
            ("pipeline_id", "pipeline", &pipelines.pipelines),
            ("pipeline_version_id", "pipeline version", &pipelines.versions),
        ] {
            if let Some(id) = reference.get(name).and_then(Value::as_str).map(str::to_owned) {
                reference.insert(name.to_owned(), translate(ids, what, &id)?);
            }
        }
    }
    Ok(body)
}

fn has_content(there: &Value, body: &Map<String, Value>) -> bool {
    let default = Value::Null;
    CONTENT.iter().all(|name| is_same(there.get(*name).unwrap_or(&default), body.get(*name).unwrap_or(&default)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_this_server() {
        let ids = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(from, to)| ((*from).to_owned(), Some((*to).to_owned()))).collect::<Ids>()
        };
        let (experiments, versions) = (ids(&[("e", "E")]), ids(&[("v", "V")]));
        let pipelines = Pipelines { pipelines: ids(&[("p", "P")]), versions };
        let item = json!({
            "display_name": "n", "experiment_id": "e", "mode": "ENABLE", "status": "ENABLED", "max_concurrency": "1",
            "pipeline_version_reference": {"pipeline_id": "p", "pipeline_version_id": "v"},
        });
        let body = translated(&item, &experiments, &pipelines).expect("it is known");
        let expected = json!({
            "experiment_id": "E", "max_concurrency": "1",
            "pipeline_version_reference": {"pipeline_id": "P", "pipeline_version_id": "V"},
        });
        assert_eq!(Value::Object(body.clone()), expected);
        assert!(has_content(&expected, &body));
        let unknown =
            translated(&json!({"pipeline_version_reference": {"pipeline_id": "x"}}), &experiments, &pipelines);
        assert_eq!(unknown.unwrap_err(), "its pipeline x was not brought over");
    }
}
