//! Queries of v1beta1 in today's words.

use form_urlencoded::{Serializer, parse};
use serde_json::Value;

/// Nothing to say in other words.
pub(super) fn unchanged(query: &str) -> String {
    query.to_owned()
}

/// It knows no deletion of a pipeline with its versions, whatever the query says.
pub(super) fn without_cascade(_query: &str) -> String {
    String::new()
}

/// The newest of all, whatever is asked for.
pub(super) fn newest(_query: &str) -> String {
    "page_size=1&sort_by=created_at%20desc".to_owned()
}

/// What narrows lists.
pub(super) fn of_list(query: &str) -> String {
    let kind = parse(query.as_bytes()).find(|(key, _)| key == "resource_reference_key.type");
    let narrows_by = match kind.as_ref().map(|(_, kind)| &**kind) {
        None | Some("EXPERIMENT" | "1") => Some("experiment_id"),
        Some("NAMESPACE" | "5") => Some("namespace"),
        // Nothing else has such lists.
        Some(_) => None,
    };
    let mut translated = Serializer::new(String::new());
    for (key, value) in parse(query.as_bytes()) {
        match &*key {
            "resource_reference_key.id" => translated.append_pair(narrows_by.unwrap_or(&key), &value),
            "filter" => translated.append_pair("filter", &filter(&value)),
            _ => translated.append_pair(&key, &value),
        };
    }
    translated.finish()
}

/// A filter whose operations are called `op`, and whose storage states have a prefix. What cannot be read is left to who
/// refuses it.
fn filter(text: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
    let read = [text, &*decoded].into_iter().find_map(|text| serde_json::from_str::<Value>(text).ok());
    let Some(mut filter) = read else { return text.to_owned() };
    let predicates = filter.get_mut("predicates").and_then(Value::as_array_mut);
    for predicate in predicates.into_iter().flatten().filter_map(Value::as_object_mut) {
        if let Some(operation) = predicate.remove("op") {
            predicate.insert("operation".to_owned(), operation);
        }
        for name in ["string_value", "stringValue"] {
            if let Some(Value::String(value)) = predicate.get_mut(name)
                && let Some(state) = value.strip_prefix("STORAGESTATE_")
            {
                *value = state.to_owned();
            }
        }
    }
    filter.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_narrowed_in_other_words() {
        assert_eq!(
            of_list("resource_reference_key.type=EXPERIMENT&resource_reference_key.id=a&page_size=2"),
            "resource_reference_key.type=EXPERIMENT&experiment_id=a&page_size=2"
        );
        assert_eq!(of_list("resource_reference_key.id=a"), "experiment_id=a");
        for (kind, name) in [("1", "experiment_id"), ("NAMESPACE", "namespace"), ("5", "namespace")] {
            let translated = of_list(&format!("resource_reference_key.id=a&resource_reference_key.type={kind}"));
            assert_eq!(translated, format!("{name}=a&resource_reference_key.type={kind}"));
        }
        let other = "resource_reference_key.type=PIPELINE&resource_reference_key.id=a";
        assert_eq!(of_list(other), other);
        let older =
            r#"{"predicates":[{"op":"NOT_EQUALS","key":"storage_state","string_value":"STORAGESTATE_ARCHIVED"}]}"#;
        let newer = r#"{"predicates":[{"key":"storage_state","operation":"NOT_EQUALS","string_value":"ARCHIVED"}]}"#;
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(read(&filter(older)), read(newer));
        let encoded: String = form_urlencoded::byte_serialize(older.as_bytes()).collect();
        assert_eq!(read(&filter(&encoded)), read(newer));
        assert_eq!(filter("{"), "{");
    }
}
