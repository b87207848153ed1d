//! Parameters of the query: unknown ones are ignored, empty ones count as absent, repeated ones are refused.

use std::borrow::Cow;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;

use super::read::{Enumeration, camel_case};
use crate::error::ApiError;

/// The parameters of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads the part of a URL behind the question mark.
    pub fn parse(query: &str) -> Result<Self, ApiError> {
        if percent_decode_str(query).decode_utf8().is_err() {
            return Err(ApiError::malformed("the query is not UTF-8 once it is decoded"));
        }
        let pairs = form_urlencoded::parse(query.as_bytes()).map(|(key, value)| (owned(key), owned(value)));
        Ok(Self { pairs: pairs.collect() })
    }

    /// A string; empty when it is absent. The name may be spelled in snake or camel case.
    pub fn text(&self, name: &str) -> Result<&str, ApiError> {
        let camel = camel_case(name);
        let mut found = self.pairs.iter().filter(|(key, _)| key == name || *key == camel);
        let Some((_, value)) = found.next() else { return Ok("") };
        if found.next().is_some() {
            return Err(ApiError::malformed(format!("too many values for field {name:?}")));
        }
        if value.contains('\0') {
            return Err(ApiError::malformed(format!("parsing field {name:?}: it holds a NUL character")));
        }
        Ok(value)
    }

    /// A number; 0 when it is absent.
    pub fn integer(&self, name: &str) -> Result<i32, ApiError> {
        let text = self.text(name)?;
        if text.is_empty() {
            return Ok(0);
        }
        text.parse::<i32>().map_err(|_| {
            let all_digits = text.strip_prefix('-').unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit());
            let reason = if all_digits { "value out of range" } else { "invalid syntax" };
            ApiError::malformed(format!("parsing field {name:?}: strconv.ParseInt: parsing {text:?}: {reason}"))
        })
    }

    /// The number of an enum's value, given by name or by number; 0 when it is absent.
    pub fn enumeration(&self, name: &str, names: &Enumeration) -> Result<i64, ApiError> {
        let text = self.text(name)?;
        let is_meant = |(known, number): &&(&str, i64)| *known == text || number.to_string() == text;
        match names.iter().find(is_meant) {
            Some((_, number)) => Ok(*number),
            None if text.is_empty() => Ok(0),
            None => Err(ApiError::malformed(format!(
                "parsing field {name:?}: {text:?} is not one of {}",
                names.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ")
            ))),
        }
    }

    /// A boolean; false when it is absent.
    pub fn boolean(&self, name: &str) -> Result<bool, ApiError> {
        match self.text(name)? {
            "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
            text => Err(ApiError::malformed(format!(
                "parsing field {name:?}: strconv.ParseBool: parsing {text:?}: invalid syntax"
            ))),
        }
    }
}

fn owned(text: Cow<'_, str>) -> String {
    text.into_owned()
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_empty_parameters_count_as_absent() {
        let query = Query::parse("page_token=&sort_by=&x=1&pageSize=5&cascade=true").unwrap();
        assert_eq!(query.text("page_token").unwrap(), "");
        assert_eq!(query.integer("page_size").unwrap(), 5);
        assert!(query.boolean("cascade").unwrap());
        assert_eq!(query.text("filter").unwrap(), "");
    }

    #[test]
    fn i22_what_cannot_be_read_is_refused() {
        let message = |query: &str| Query::parse(query).unwrap().integer("page_size").unwrap_err().to_string();
        assert_eq!(
            message("page_size=x"),
            r#"parsing field "page_size": strconv.ParseInt: parsing "x": invalid syntax"#
        );
        assert!(message("page_size=2147483648").ends_with("value out of range"));
        assert_eq!(message("page_size=1&pageSize=2"), r#"too many values for field "page_size""#);
        assert!(Query::parse("cascade=maybe").unwrap().boolean("cascade").is_err());
        let word = |query: &str| Query::parse(query).unwrap().enumeration("word", &[("NONE", 0), ("ALL", 3)]);
        assert_eq!([word(""), word("word=ALL"), word("word=3")], [Ok(0), Ok(3), Ok(3)]);
        assert_eq!(word("word=all").unwrap_err().to_string(), r#"parsing field "word": "all" is not one of NONE, ALL"#);
        assert!(word("word=1").is_err());
    }

    #[test]
    fn i14_what_is_no_text_is_refused() {
        assert!(Query::parse("name=%ff").is_err());
        assert!(Query::parse("name=a%00b").unwrap().text("name").is_err());
        assert_eq!(Query::parse("name=%E4%BD%A0+%25").unwrap().text("name").unwrap(), "你 %");
    }
}
