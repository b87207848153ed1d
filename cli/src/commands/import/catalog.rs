//! Experiments, pipelines and their versions.

use std::collections::HashMap;

use penstock_spec::value::canonicalize;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::Import;
use super::report::{Outcome, Report};
use crate::remote::catalog::{self, Pages};

/// The id at the target of what has an id at the source; none in a dry run of what is not there yet.
pub(super) type Ids = HashMap<String, Option<String>>;

/// Where pipelines and their versions have come to.
#[derive(Debug, Default)]
pub(super) struct Pipelines {
    pub(super) pipelines: Ids,
    pub(super) versions: Ids,
}

/// A member that is a text.
pub(super) fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The name that is an identity; old servers have only one for people.
fn name_of(item: &Value) -> &str {
    match text(item, "name") {
        "" => text(item, "display_name"),
        name => name,
    }
}

/// These members of an item, as far as it has them.
pub(super) fn members(item: &Value, names: &[&str]) -> Map<String, Value> {
    names.iter().filter_map(|name| Some(((*name).to_owned(), item.get(*name)?.clone()))).collect()
}

/// Whether two values mean the same.
pub(super) fn is_same(one: &Value, other: &Value) -> bool {
    let mut values = [one.clone(), other.clone()];
    values.iter_mut().for_each(canonicalize);
    values[0] == values[1]
}

/// Brings experiments over.
pub(super) async fn experiments(import: &Import<'_>, report: &mut Report) -> anyhow::Result<Ids> {
    const KIND: &str = "experiment";
    let there = Pages::of(&import.to, &["experiments"], "experiments", "100").all().await?;
    let there: HashMap<&str, &str> =
        there.iter().map(|item| (text(item, "display_name"), text(item, "experiment_id"))).collect();
    let mut ids = Ids::new();
    let mut pages = Pages::of(&import.from, &["experiments"], "experiments", "100").within(import.namespace);
    while let Some(items) = pages.next().await? {
        for item in items {
            let (name, id) = (text(&item, "display_name"), text(&item, "experiment_id").to_owned());
            if let Some(found) = there.get(name) {
                ids.insert(id, Some((*found).to_owned()));
                report.add(KIND, name, Outcome::Skipped, "");
                continue;
            }
            if import.dry_run {
                ids.insert(id, None);
                report.add(KIND, name, Outcome::Created, "");
                continue;
            }
            let body = Value::Object(members(&item, &["display_name", "description"]));
            match catalog::create(&import.to, "experiments", &body).await {
                Ok(made) => {
                    let made = text(&made, "experiment_id").to_owned();
                    if text(&item, "storage_state") == "ARCHIVED" {
                        let verb = format!("{made}:archive");
                        import.to.act(Method::POST, &["apis", "v2beta1", "experiments", &verb]).await?;
                    }
                    ids.insert(id, Some(made));
                    report.add(KIND, name, Outcome::Created, "");
                }
                Err(error) => report.add_failure(KIND, name, error)?,
            }
        }
    }
    Ok(ids)
}

/// Brings pipelines over with all their versions, the oldest first: the latest stays the latest.
pub(super) async fn pipelines(import: &Import<'_>, report: &mut Report) -> anyhow::Result<Pipelines> {
    const KIND: &str = "pipeline";
    let there = Pages::of(&import.to, &["pipelines"], "pipelines", "100").all().await?;
    let there: HashMap<&str, &Value> = there.iter().map(|item| (name_of(item), item)).collect();
    let mut found = Pipelines::default();
    let mut pages = Pages::of(&import.from, &["pipelines"], "pipelines", "100").within(import.namespace);
    while let Some(items) = pages.next().await? {
        for item in items {
            let (name, id) = (name_of(&item).to_owned(), text(&item, "pipeline_id").to_owned());
            let target = match there.get(name.as_str()) {
                Some(target) => {
                    let labels = ["display_name", "description", "tags"];
                    let differ = labels.iter().filter(|label| item.get(**label) != target.get(**label));
                    let differ: Vec<&str> = differ.copied().collect();
                    match differ.is_empty() {
                        true => report.add(KIND, &name, Outcome::Skipped, ""),
                        false => {
                            let reason = format!("{} of the one here is another", differ.join(", "));
                            report.add(KIND, &name, Outcome::Conflict, reason);
                        }
                    }
                    Some(text(target, "pipeline_id").to_owned())
                }
                None if import.dry_run => {
                    report.add(KIND, &name, Outcome::Created, "");
                    None
                }
                None => {
                    let body = Value::Object(members(&item, &["name", "display_name", "description", "tags"]));
                    match catalog::create(&import.to, "pipelines", &body).await {
                        Ok(made) => {
                            report.add(KIND, &name, Outcome::Created, "");
                            Some(text(&made, "pipeline_id").to_owned())
                        }
                        Err(error) => {
                            report.add_failure(KIND, &name, error)?;
                            continue;
                        }
                    }
                }
            };
            versions(import, (&id, &name), target.as_deref(), &mut found.versions, report).await?;
            found.pipelines.insert(id, target);
        }
    }
    Ok(found)
}

async fn versions(
    import: &Import<'_>,
    (pipeline, pipeline_name): (&str, &str),
    target: Option<&str>,
    ids: &mut Ids,
    report: &mut Report,
) -> anyhow::Result<()> {
    const KIND: &str = "version";
    // Each holds its pipeline, which may be large.
    let mut pages = Pages::of(&import.from, &["pipelines", pipeline, "versions"], "pipeline_versions", "5");
    while let Some(items) = pages.next().await? {
        for item in items {
            let id = text(&item, "pipeline_version_id").to_owned();
            let (name, shown) = (name_of(&item), format!("{pipeline_name}/{}", name_of(&item)));
            let Some(spec) = item.get("pipeline_spec") else {
                report.add(KIND, &shown, Outcome::Failed, "the source does not show its pipeline");
                continue;
            };
            let there = match target {
                Some(target) => catalog::version_named(&import.to, target, name).await?,
                None => None,
            };
            match (there, target) {
                (Some(there), _) => {
                    ids.insert(id, Some(text(&there, "pipeline_version_id").to_owned()));
                    match is_same(spec, there.get("pipeline_spec").unwrap_or(&json!(null))) {
                        true => report.add(KIND, &shown, Outcome::Skipped, ""),
                        false => report.add(KIND, &shown, Outcome::Conflict, "the one here is another pipeline"),
                    }
                }
                (None, Some(target)) if !import.dry_run => {
                    match catalog::upload_version(&import.to, target, &item).await {
                        Ok(made) => {
                            ids.insert(id, Some(text(&made, "pipeline_version_id").to_owned()));
                            report.add(KIND, &shown, Outcome::Created, "");
                        }
                        Err(error) => report.add_failure(KIND, &shown, error)?,
                    }
                }
                (None, _) => {
                    ids.insert(id, None);
                    report.add(KIND, &shown, Outcome::Created, "");
                }
            }
        }
    }
    Ok(())
}
