//! Experiments, and what all kinds of things share: names, members, and where things have come to.

use std::collections::HashMap;

use penstock_spec::value::canonicalize;
use reqwest::Method;
use serde_json::{Map, Value};

use super::Import;
use super::report::{Outcome, Report};
use crate::remote::catalog::{self, Pages};
use crate::text::inert;

/// The experiment that each server of one team makes by itself, with a text of its own.
const DEFAULT: &str = "Default";

/// Where something of the source has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Its id here.
    Here(String),
    /// Nowhere yet: it is a dry run.
    Later,
    /// Nowhere, and why.
    Nowhere(String),
}

/// Places by the id at the source.
pub(super) type Places = HashMap<String, Place>;

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

/// What a name is found by: names that differ in the case of ASCII letters alone are one at the target.
pub(super) fn key_of(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// These members of an item, as far as it has them. What has its default is absent, however the server writes that.
pub(super) fn members(item: &Value, names: &[&str]) -> Map<String, Value> {
    names.iter().filter_map(|name| Some(((*name).to_owned(), member(item, name)?.clone()))).collect()
}

fn member<'a>(item: &'a Value, name: &str) -> Option<&'a Value> {
    item.get(name).filter(|value| match value {
        Value::Null | Value::Bool(false) => false,
        // Of the states, one alone says something.
        Value::String(text) if name == "storage_state" => text == "ARCHIVED",
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    })
}

/// Whether these members mean the same.
pub(super) fn are_same(one: &Value, other: &Value, names: &[&str]) -> bool {
    let mut values = [one, other].map(|item| Value::Object(members(item, names)));
    values.iter_mut().for_each(canonicalize);
    values[0] == values[1]
}

/// Why what is here is not what is at the source, though its name finds it; `None` if it is the same in these members.
pub(super) fn difference(item: &Value, here: &Value, names: &[&str]) -> Option<String> {
    if name_of(item) != name_of(here) {
        let name = inert(name_of(here));
        return Some(format!("it is {name} here, where names do not differ by the case of letters alone"));
    }
    let differ: Vec<&str> = names.iter().filter(|name| !are_same(item, here, &[**name])).copied().collect();
    (!differ.is_empty()).then(|| format!("{} of the one here is another", differ.join(", ")))
}

/// Brings experiments over.
pub(super) async fn experiments(import: &Import, report: &mut Report) -> anyhow::Result<Places> {
    const KIND: &str = "experiment";
    let there = Pages::of(&import.to, &["experiments"], "experiments", "100").all().await?;
    let mut there: HashMap<String, Value> = there.into_iter().map(|item| (key_of(name_of(&item)), item)).collect();
    let mut places = Places::new();
    let mut pages = Pages::of(&import.from, &["experiments"], "experiments", "100");
    while let Some(items) = pages.next().await? {
        for item in items {
            let (name, id) = (name_of(&item).to_owned(), text(&item, "experiment_id").to_owned());
            if let Some(here) = there.get(&key_of(&name)) {
                places.insert(id, place(here, "experiment_id"));
                // Each is made by its own server, and nobody wants the other's.
                let compared: &[&str] = if name == DEFAULT { &[] } else { &["description", "storage_state"] };
                report.add_found(KIND, &name, difference(&item, here, compared));
                continue;
            }
            if import.dry_run {
                places.insert(id, Place::Later);
                report.add(KIND, &name, Outcome::Created, "");
                there.insert(key_of(&name), members(&item, &["display_name", "description", "storage_state"]).into());
                continue;
            }
            let body = members(&item, &["display_name", "description"]);
            match catalog::create(&import.to, "experiments", body).await {
                Ok(made) => {
                    if text(&item, "storage_state") == "ARCHIVED" {
                        let verb = format!("{}:archive", text(&made, "experiment_id"));
                        import.to.act(Method::POST, &["apis", "v2beta1", "experiments", &verb]).await?;
                    }
                    places.insert(id, place(&made, "experiment_id"));
                    there.insert(key_of(&name), made);
                    report.add(KIND, &name, Outcome::Created, "");
                }
                Err(error) => {
                    places.insert(id, Place::Nowhere(report.add_failure(KIND, &name, error)?));
                }
            }
        }
    }
    Ok(places)
}

/// Where something is that is here; in a dry run it may only be known that it would be.
pub(super) fn place(here: &Value, id: &str) -> Place {
    match text(here, id) {
        "" => Place::Later,
        id => Place::Here(id.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_named() {
        let names = ["description", "tags", "storage_state"];
        let here = json!({"name": "e", "description": "d", "tags": {"a": "1"}});
        for (item, expected) in [
            (json!({"display_name": "e", "description": "d", "tags": {"a": "1"}, "created_at": "x"}), None),
            (json!({"name": "e", "description": "d", "tags": {"a": "1"}, "storage_state": "AVAILABLE"}), None),
            (json!({"name": "e", "tags": {}}), Some("description, tags of the one here is another")),
            (
                json!({"name": "e", "description": "d", "tags": {"a": "1"}, "storage_state": "ARCHIVED"}),
                Some("storage_state of the one here is another"),
            ),
            (json!({"name": "e", "description": "D", "tags": {"a": "1"}}), Some("description of the one here")),
            (json!({"name": "E", "description": "d", "tags": {"a": "1"}}), Some("it is e here, where names")),
        ] {
            let found = difference(&item, &here, &names);
            assert_eq!(found.is_some(), expected.is_some(), "{item}: {found:?}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()), "{item}");
        }
        assert_eq!(difference(&json!({"name": "e", "x": 1}), &json!({"name": "e", "x": 1.0}), &["x"]), None);
    }

    #[test]
    fn what_has_its_default_is_absent() {
        let item =
            json!({"a": "", "b": null, "c": {}, "d": false, "e": [], "f": 0, "g": true, "h": "x", "i": {"j": ""}});
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "absent"];
        assert_eq!(Value::Object(members(&item, &names)), json!({"f": 0, "g": true, "h": "x", "i": {"j": ""}}));
    }
}
