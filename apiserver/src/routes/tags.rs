//! Tags of pipelines and versions.

use penstock_metastore::Tags;
use penstock_spec::strict_json;
use serde_json::Value;

use crate::caching;
use crate::error::ApiError;

const MOST_TAGS: usize = 20;
/// In characters.
const LONGEST: usize = 63;
/// More values than tags that are refused one by one.
const MOST_VALUES: usize = 10_000;

/// Refuses tags that cannot be stored or asked for.
pub(super) fn check(tags: &Tags) -> Result<(), ApiError> {
    if tags.len() > MOST_TAGS {
        let message = format!("number of tags ({}) exceeds maximum of {MOST_TAGS} per entity", tags.len());
        return Err(ApiError::invalid(message));
    }
    for (key, value) in tags {
        let fault = if key.is_empty() {
            "tag key cannot be empty".to_owned()
        } else if key.contains('.') {
            format!("tag key {key:?} must not contain '.' character")
        } else if key.chars().count() > LONGEST {
            format!("tag key {key:?} exceeds maximum length of {LONGEST} characters")
        } else if value.chars().count() > LONGEST {
            format!("tag value {value:?} for key {key:?} exceeds maximum length of {LONGEST} characters")
        } else {
            continue;
        };
        return Err(ApiError::invalid(fault));
    }
    caching::check_tags(tags)
}

/// Reads the tags of an upload, which are JSON in the query.
pub(super) fn parse(text: &str) -> Result<Tags, ApiError> {
    if text.is_empty() {
        return Ok(Tags::new());
    }
    let refused =
        || ApiError::invalid("Failed to parse tags query parameter. Expected JSON object with string keys and values");
    let tags: Tags = match strict_json::parse_bounded(text.as_bytes(), MOST_VALUES) {
        Ok(Value::Object(members)) => members
            .into_iter()
            .map(|(key, value)| match value {
                Value::String(value) if !key.contains('\0') && !value.contains('\0') => Ok((key, value)),
                _ => Err(refused()),
            })
            .collect::<Result<_, _>>()?,
        _ => return Err(refused()),
    };
    check(&tags)?;
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        parse(text).unwrap_err().short_text().to_owned()
    }

    #[test]
    fn tags_are_an_object_of_strings() {
        assert_eq!(parse("").unwrap(), Tags::new());
        assert_eq!(parse("{}").unwrap(), Tags::new());
        assert_eq!(parse(r#"{"team": "", "é": "x"}"#).unwrap().len(), 2);
        for text in ["[]", "{", r#"{"a": 1}"#, r#"{"a": "1", "a": "2"}"#, "null", r#"{"a": "\u0000"}"#] {
            let expected = "Failed to parse tags query parameter. Expected JSON object with string keys and values";
            assert_eq!(refusal(text), expected, "{text}");
        }
    }

    #[test]
    fn tags_have_limits() {
        let long = "é".repeat(64);
        assert_eq!(refusal(r#"{"": "x"}"#), "tag key cannot be empty");
        assert_eq!(refusal(r#"{"a.b": "x"}"#), r#"tag key "a.b" must not contain '.' character"#);
        assert_eq!(
            refusal(&format!(r#"{{"{long}": "x"}}"#)),
            format!("tag key {long:?} exceeds maximum length of 63 characters")
        );
        assert_eq!(
            refusal(&format!(r#"{{"k": "{long}"}}"#)),
            format!("tag value {long:?} for key \"k\" exceeds maximum length of 63 characters")
        );
        let many: Tags = (0..21).map(|number| (format!("k{number}"), String::new())).collect();
        assert_eq!(check(&many).unwrap_err().short_text(), "number of tags (21) exceeds maximum of 20 per entity");
        let fits = "é".repeat(63);
        assert!(parse(&format!(r#"{{"{fits}": "{fits}"}}"#)).is_ok());
    }
}
