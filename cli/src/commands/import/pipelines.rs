//! Pipelines and their versions: those of the namespace, and those that all namespaces share.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::Import;
use super::catalog::{Place, Places, are_same, difference, key_of, members, name_of, place, text};
use super::report::{Outcome, Report};
use crate::remote::catalog::{self, Pages};
use crate::remote::client::Client;
use crate::remote::error::RemoteError;

const KIND: &str = "pipeline";

/// Where pipelines and their versions have come to.
#[derive(Debug, Default)]
pub(super) struct Pipelines {
    pub(super) pipelines: Places,
    pub(super) versions: Places,
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
            let items = all(to, is_shared).await?;
            names.extend(items.into_iter().map(|item| (key_of(name_of(&item)), item)));
        }
        Ok(there)
    }

    /// The one that a pipeline of the source is. What is shared there stays shared, if it is here.
    fn get(&self, name: &str, is_shared: bool) -> Option<&Value> {
        let name = &key_of(name);
        let shared = if is_shared { self.shared.get(name) } else { None };
        shared.or_else(|| self.own.get(name))
    }
}

/// The pipelines of a server: of its namespace, or shared ones, where that is not the same.
async fn all(client: &Client, is_shared: bool) -> Result<Vec<Value>, RemoteError> {
    let pages = Pages::of(client, &["pipelines"], "pipelines", "100");
    match (is_shared, client.namespace()) {
        (false, _) => pages.all().await,
        (true, "") => Ok(Vec::new()),
        (true, _) => match pages.shared().all().await {
            // A server may have no shared ones.
            Err(error) if error.status() == Some(400) => Ok(Vec::new()),
            items => items,
        },
    }
}

/// Brings pipelines over with all their versions, the oldest first: the latest stays the latest.
pub(super) async fn pipelines(import: &Import, report: &mut Report) -> anyhow::Result<Pipelines> {
    let there = There::read(&import.to).await?;
    let (mut found, mut names) = (Pipelines::default(), HashSet::new());
    for is_shared in [false, true] {
        let mut items = all(&import.from, is_shared).await?;
        // Of those that have one name here, it is the one that is called exactly so.
        items.sort_by_key(|item| there.get(name_of(item), is_shared).is_none_or(|here| name_of(here) != name_of(item)));
        for item in items {
            let (name, id) = (name_of(&item).to_owned(), text(&item, "pipeline_id").to_owned());
            // A server of one namespace lists the same twice.
            if found.pipelines.contains_key(&id) {
                continue;
            }
            let here = there.get(&name, is_shared);
            if !names.insert((key_of(&name), here.map(|here| text(here, "pipeline_id").to_owned()))) {
                let reason = "another one of the source has this name already: names do not differ by the case of letters \
                              alone here, nor by who shares a pipeline";
                report.add(KIND, &name, Outcome::Conflict, reason);
                found.pipelines.insert(id, Place::Nowhere(reason.to_owned()));
                continue;
            }
            let place = pipeline(import, &item, here, report).await?;
            if !matches!(place, Place::Nowhere(_)) {
                versions(import, (&id, &name), &place, &mut found.versions, report).await?;
            }
            found.pipelines.insert(id, place);
        }
    }
    Ok(found)
}

/// Brings one over.
async fn pipeline(import: &Import, item: &Value, here: Option<&Value>, report: &mut Report) -> anyhow::Result<Place> {
    let name = name_of(item);
    if let Some(here) = here {
        report.add_found(KIND, name, difference(item, here, &["display_name", "description", "tags"]));
        return Ok(place(here, "pipeline_id"));
    }
    if import.dry_run {
        report.add(KIND, name, Outcome::Created, "");
        return Ok(Place::Later);
    }
    let body = members(item, &["name", "display_name", "description", "tags"]);
    Ok(match catalog::create(&import.to, "pipelines", body).await {
        Ok(made) => {
            report.add(KIND, name, Outcome::Created, "");
            place(&made, "pipeline_id")
        }
        Err(error) => Place::Nowhere(report.add_failure(KIND, name, error)?),
    })
}

async fn versions(
    import: &Import,
    (pipeline, pipeline_name): (&str, &str),
    home: &Place,
    places: &mut Places,
    report: &mut Report,
) -> anyhow::Result<()> {
    // Each holds its pipeline, which may be large.
    let mut pages = Pages::of(&import.from, &["pipelines", pipeline, "versions"], "pipeline_versions", "5").shared();
    while let Some(items) = pages.next().await? {
        for item in items {
            let shown = format!("{pipeline_name}/{}", name_of(&item));
            let place = version(import, &item, home, &shown, report).await?;
            places.insert(text(&item, "pipeline_version_id").to_owned(), place);
        }
    }
    Ok(())
}

/// Brings a version over to its pipeline. What recurs is never made to run another pipeline than it does.
async fn version(
    import: &Import,
    item: &Value,
    home: &Place,
    shown: &str,
    report: &mut Report,
) -> anyhow::Result<Place> {
    const KIND: &str = "version";
    const PIPELINE: &[&str] = &["pipeline_spec"];
    const LABELS: &[&str] = &["display_name", "description", "tags", "code_source_url"];
    if members(item, PIPELINE).is_empty() {
        let reason = "the source does not show its pipeline".to_owned();
        report.add(KIND, shown, Outcome::Failed, reason.clone());
        return Ok(Place::Nowhere(reason));
    }
    let Place::Here(pipeline) = home else {
        report.add(KIND, shown, Outcome::Created, "");
        return Ok(Place::Later);
    };
    if let Some(here) = catalog::version_named(&import.to, pipeline, name_of(item)).await? {
        if !are_same(item, &here, PIPELINE) {
            let reason = "the one here is another pipeline".to_owned();
            report.add(KIND, shown, Outcome::Conflict, reason.clone());
            return Ok(Place::Nowhere(reason));
        }
        report.add_found(KIND, shown, difference(item, &here, LABELS));
        return Ok(place(&here, "pipeline_version_id"));
    }
    if import.dry_run {
        report.add(KIND, shown, Outcome::Created, "");
        return Ok(Place::Later);
    }
    Ok(match catalog::upload_version(&import.to, pipeline, item).await {
        Ok(made) => {
            report.add(KIND, shown, Outcome::Created, "");
            place(&made, "pipeline_version_id")
        }
        Err(error) => Place::Nowhere(report.add_failure(KIND, shown, error)?),
    })
}
