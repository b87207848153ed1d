//! Experiments.

use std::collections::HashMap;

use penstock_spec::value::canonicalize;
use reqwest::Method;
use serde_json::{Map, Value};

use super::Import;
use super::report::{Outcome, Report};
use crate::remote::catalog::{self, Pages};

/// The id at the target of what has an id at the source; none in a dry run of what is not there yet.
pub(super) type Ids = HashMap<String, Option<String>>;

/// A member that is a text.
pub(super) fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The name that is an identity; old servers have only one for people.
pub(super) fn name_of(item: &Value) -> &str {
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
pub(super) async fn experiments(import: &Import, report: &mut Report) -> anyhow::Result<Ids> {
    const KIND: &str = "experiment";
    let there = Pages::of(&import.to, &["experiments"], "experiments", "100").all().await?;
    let there: HashMap<&str, &str> =
        there.iter().map(|item| (text(item, "display_name"), text(item, "experiment_id"))).collect();
    let mut ids = Ids::new();
    let mut pages = Pages::of(&import.from, &["experiments"], "experiments", "100");
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
            let body = members(&item, &["display_name", "description"]);
            match catalog::create(&import.to, "experiments", body).await {
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
