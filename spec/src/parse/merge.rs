//! Merge keys (`<<`) of YAML: what a mapping takes from others. Its own keys win, then those of the first source.

use serde_json::{Map, Value};

/// Adds the members of `source`, a mapping or a list of mappings, that `target` does not have.
pub(super) fn merge(target: &mut Map<String, Value>, source: Value) -> Result<(), &'static str> {
    let sources = match source {
        Value::Array(sources) => sources,
        single => vec![single],
    };
    for source in sources {
        let Value::Object(members) = source else {
            return Err("a merge key needs a mapping or a list of mappings");
        };
        for (key, value) in members {
            target.entry(key).or_insert(value);
        }
    }
    Ok(())
}
