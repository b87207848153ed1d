//! Messages in replies: what has its default value is left out.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use penstock_spec::Timestamp;
use serde_json::{Map, Value};

use super::time;

/// A message under construction.
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use]
pub struct Reply(Map<String, Value>);

impl Reply {
    /// A message without fields.
    pub fn new() -> Self {
        Self::default()
    }

    fn set(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// A string.
    pub fn text(self, name: &str, text: impl Into<String>) -> Self {
        match text.into() {
            text if text.is_empty() => self,
            text => self.set(name, Value::String(text)),
        }
    }

    /// A time; one that is not set is written as the beginning of 1970.
    pub fn time(self, name: &str, at: impl Into<Option<Timestamp>>) -> Self {
        let at = at.into().unwrap_or(Timestamp::UNIX_EPOCH);
        self.set(name, Value::String(time::format(at)))
    }

    /// A boolean.
    pub fn boolean(self, name: &str, value: bool) -> Self {
        if value { self.set(name, Value::Bool(true)) } else { self }
    }

    /// An integer of 32 bits, or a count that fits one.
    pub fn count(self, name: &str, count: u64) -> Self {
        match i32::try_from(count).unwrap_or(i32::MAX) {
            0 => self,
            count => self.set(name, Value::from(count)),
        }
    }

    /// An integer of 64 bits, which is written as text.
    pub fn integer(self, name: &str, value: i64) -> Self {
        if value == 0 { self } else { self.set(name, Value::String(value.to_string())) }
    }

    /// A list.
    pub fn list<T: Into<Value>>(self, name: &str, items: impl IntoIterator<Item = T>) -> Self {
        let items: Vec<Value> = items.into_iter().map(Into::into).collect();
        if items.is_empty() { self } else { self.set(name, Value::Array(items)) }
    }

    /// A map, or a `google.protobuf.Struct` that is left out when it is empty.
    pub fn map(self, name: &str, members: Map<String, Value>) -> Self {
        if members.is_empty() { self } else { self.set(name, Value::Object(members)) }
    }

    /// A map of strings.
    pub fn text_map(self, name: &str, texts: &BTreeMap<String, String>) -> Self {
        self.map(name, texts.iter().map(|(key, text)| (key.clone(), Value::from(text.as_str()))).collect())
    }

    /// A message, present even if it is empty.
    pub fn message(self, name: &str, message: impl Into<Value>) -> Self {
        self.set(name, message.into())
    }
}

impl From<Reply> for Value {
    fn from(reply: Reply) -> Self {
        Self::Object(reply.0)
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        json_response(StatusCode::OK, &self.into())
    }
}

/// A reply with a JSON value as its body.
pub fn json_response(status: StatusCode, value: &Value) -> Response {
    let mut response = json_text(value.to_string());
    *response.status_mut() = status;
    response
}

/// A reply with JSON that is written already.
pub fn json_text(text: impl Into<Body>) -> Response {
    let mut response = Response::new(text.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_are_left_out_and_times_are_not() {
        let reply = Reply::new()
            .text("name", "")
            .boolean("no_catchup", false)
            .count("total_size", 0)
            .integer("max_concurrency", 0)
            .list("runs", Vec::<Value>::new())
            .map("parameters", Map::new())
            .text_map("tags", &BTreeMap::new())
            .time("finished_at", None);
        assert_eq!(Value::from(reply), json!({"finished_at": "1970-01-01T00:00:00Z"}));
    }

    #[test]
    fn values_have_the_forms_that_clients_read() {
        let reply = Reply::new()
            .text("name", "x")
            .boolean("no_catchup", true)
            .count("total_size", 3)
            .integer("max_concurrency", 10)
            .list("runs", [Reply::new().text("run_id", "1")])
            .message("trigger", Reply::new());
        let expected = json!({"name": "x", "no_catchup": true, "total_size": 3, "max_concurrency": "10",
                              "runs": [{"run_id": "1"}], "trigger": {}});
        assert_eq!(Value::from(reply), expected);
    }
}
