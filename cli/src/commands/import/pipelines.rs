//! Pipelines and their versions: those of the namespace, and those that all namespaces share.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::Import;
use super::catalog::{Ids, is_same, members, name_of, text};
use super::report::{Outcome, Report};
use crate::remote::catalog::{self, Pages};
use crate::remote::client::Client;
use crate::remote::error::RemoteError;

const KIND: &str = "pipeline";

/// Where pipelines and their versions have come to.
#[derive(Debug, Default)]
pub(super) struct Pipelines {
    pub(super) pipelines: Ids,
    pub(super) versions: Ids,
}

/// What the target has, by name.
struct There {
    own: HashMap<String, Value>,
    shared: HashMap<String, Value>,
}

impl There {
    async fn read(to: &Client) -> Result<There, RemoteError> {
        let mut there = There { own: HashMap::new(), shared: HashMap::new() };
        for (is_shared, names) in [(false, &mut there.own), (true, &mut there.shared)] {
            let Some(mut pages) = pages(to, is_shared) else { continue };
            while let Some(items) = next(&mut pages, is_shared).await? {
                names.extend(items.into_iter().map(|item| (name_of(&item).to_owned(), item)));
            }
        }
        Ok(there)
    }

    /// The one that a pipeline of the source is. What is shared there stays shared, if it is here.
    fn get(&self, name: &str, is_shared: bool) -> Option<&Value> {
        let shared = if is_shared { self.shared.get(name) } else { None };
        shared.or_else(|| self.own.get(name))
    }
}

/// The pipelines of a server: of its namespace, or shared ones, where that is not the same.
fn pages(client: &Client, is_shared: bool) -> Option<Pages<'_>> {
    let pages = Pages::of(client, &["pipelines"], "pipelines", "100");
    match (is_shared, client.namespace()) {
        (false, _) => Some(pages),
        (true, "") => None,
        (true, _) => Some(pages.shared()),
    }
}

async fn next(pages: &mut Pages<'_>, is_shared: bool) -> Result<Option<Vec<Value>>, RemoteError> {
    match pages.next().await {
        // A server may have no shared ones.
        Err(error) if is_shared && error.status() == Some(400) => Ok(None),
        items => items,
    }
}

/// Brings pipelines over with all their versions, the oldest first: the latest stays the latest.
pub(super) async fn pipelines(import: &Import, report: &mut Report) -> anyhow::Result<Pipelines> {
    let there = There::read(&import.to).await?;
    let (mut found, mut names) = (Pipelines::default(), HashSet::new());
    for is_shared in [false, true] {
        let Some(mut pages) = pages(&import.from, is_shared) else { continue };
        while let Some(items) = next(&mut pages, is_shared).await? {
            for item in items {
                let (name, id) = (name_of(&item).to_owned(), text(&item, "pipeline_id").to_owned());
                // A server of one namespace lists the same twice.
                if found.pipelines.contains_key(&id) {
                    continue;
                }
                let target = there.get(&name, is_shared);
                if !names.insert((name.clone(), target.map(|target| text(target, "pipeline_id").to_owned()))) {
                    report.add(
                        KIND,
                        &name,
                        Outcome::Conflict,
                        "the namespace has one of this name, and this is shared",
                    );
                    continue;
                }
                let Some(target) = pipeline(import, &item, target, report).await? else { continue };
                versions(import, (&id, &name), target.as_deref(), &mut found.versions, report).await?;
                found.pipelines.insert(id, target);
            }
        }
    }
    Ok(found)
}

/// Brings one over; its id here, which there is none of in a dry run. `None` if it could not be.
async fn pipeline(
    import: &Import,
    item: &Value,
    target: Option<&Value>,
    report: &mut Report,
) -> anyhow::Result<Option<Option<String>>> {
    let name = name_of(item);
    if let Some(target) = target {
        let labels = ["display_name", "description", "tags"];
        let differ: Vec<&str> = labels.into_iter().filter(|label| item.get(*label) != target.get(*label)).collect();
        match differ.is_empty() {
            true => report.add(KIND, name, Outcome::Skipped, ""),
            false => {
                report.add(KIND, name, Outcome::Conflict, format!("{} of the one here is another", differ.join(", ")));
            }
        }
        return Ok(Some(Some(text(target, "pipeline_id").to_owned())));
    }
    if import.dry_run {
        report.add(KIND, name, Outcome::Created, "");
        return Ok(Some(None));
    }
    let body = members(item, &["name", "display_name", "description", "tags"]);
    match catalog::create(&import.to, "pipelines", body).await {
        Ok(made) => {
            report.add(KIND, name, Outcome::Created, "");
            Ok(Some(Some(text(&made, "pipeline_id").to_owned())))
        }
        Err(error) => {
            report.add_failure(KIND, name, error)?;
            Ok(None)
        }
    }
}

async fn versions(
    import: &Import,
    (pipeline, pipeline_name): (&str, &str),
    target: Option<&str>,
    ids: &mut Ids,
    report: &mut Report,
) -> anyhow::Result<()> {
    const KIND: &str = "version";
    // Each holds its pipeline, which may be large.
    let mut pages = Pages::of(&import.from, &["pipelines", pipeline, "versions"], "pipeline_versions", "5").shared();
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
