//! What runs may bring along for plugins. It is stored and shown again with every run, so it is bounded; limits and texts are
//! KFP's.

use serde_json::{Map, Value};

use crate::caching;
use crate::error::ApiError;

/// Most plugins that get something.
const MAX_KEYS: usize = 16;
/// Most bytes for one plugin, written as JSON.
const MAX_ENTRY_BYTES: usize = 65_536;
/// Most bytes for all plugins together.
const MAX_TOTAL_BYTES: usize = 262_144;
/// Most objects and lists within each other, that for the plugin itself included.
const MAX_DEPTH: usize = 10;

/// Refuses what is too much, and what is meant for Penstock and not understood.
pub(crate) fn check(input: &Map<String, Value>) -> Result<(), ApiError> {
    check_size(input).map_err(|reason| ApiError::invalid(format!("Invalid plugins_input: {reason}")))?;
    caching::check_plugins(input).map_err(ApiError::invalid)
}

fn check_size(input: &Map<String, Value>) -> Result<(), String> {
    let keys = input.len();
    if keys > MAX_KEYS {
        return Err(format!("number of plugins_input entries ({keys}) exceeds maximum {MAX_KEYS}"));
    }
    for (name, entry) in input {
        if !entry.is_object() {
            return Err(format!("plugins_input[{name:?}] must be an object"));
        }
        if is_deeper(entry, MAX_DEPTH) {
            return Err(format!("plugins_input[{name:?}] nesting depth exceeds maximum {MAX_DEPTH}"));
        }
        let bytes = entry.to_string().len();
        if bytes > MAX_ENTRY_BYTES {
            return Err(format!(
                "plugins_input[{name:?}] size ({bytes} bytes) exceeds maximum {MAX_ENTRY_BYTES} bytes"
            ));
        }
    }
    let bytes = serde_json::to_string(input).map_or(usize::MAX, |text| text.len());
    if bytes > MAX_TOTAL_BYTES {
        return Err(format!("plugins_input total size ({bytes} bytes) exceeds maximum {MAX_TOTAL_BYTES} bytes"));
    }
    Ok(())
}

/// Whether more objects and lists than that lie within each other. It goes no deeper than it has to.
fn is_deeper(value: &Value, levels: usize) -> bool {
    let Some(left) = levels.checked_sub(1) else { return value.is_object() || value.is_array() };
    match value {
        Value::Object(members) => members.values().any(|value| is_deeper(value, left)),
        Value::Array(items) => items.iter().any(|value| is_deeper(value, left)),
        _ => false,
    }
}
