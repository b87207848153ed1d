//! What changes in the runs and recurring runs of a namespace, as server-sent events: for lists that are kept up to date.
//!
//! A client connects, is told where it stands, reads its lists, and applies what comes. One that was away for too long is
//! told so by an event, and reads them again.

use std::fmt::Write as _;

use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use futures::{Stream, stream};
use penstock_engine::task_id;
use penstock_metastore::{FeedChange, MetastoreError};
use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::events::{HEART_BEAT, event_stream, last_event};
use crate::error::ApiError;
use crate::feed::{Follower, News};
use crate::openapi::schema::Kind;
use crate::openapi::{Description, Reply};
use crate::router::{Access, Requires, Resource, Routes, Standing, Verb};
use crate::wire::Query;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/apis/penstock/v1/events", Requires::Access(Resource::Runs, Verb::List), events).describe(
        Description::new(
            "follow_namespace",
            "What changes in the runs and recurring runs of a namespace, as server-sent events",
        )
        .query("namespace", Kind::Text, "Where, in multi-user mode.")
        .query("after", Kind::Text, "The id of the event behind which to go on; Last-Event-ID wins over it.")
        .replies(Reply::Events),
    )
}

const NO_NAMESPACE: &str = "Events are of a namespace in multi-user mode: say which";

/// `GET /events?namespace=`
async fn events(access: Access, standing: Standing, headers: HeaderMap, query: Query) -> Result<Response, ApiError> {
    let failed = |error: ApiError| error.within("Failed to follow a namespace");
    let after = last_event(&headers, &query).map_err(failed)?;
    let asked = query.text("namespace").map_err(failed)?;
    let place = access.namespace(asked, NO_NAMESPACE).await.map_err(failed)?;
    // Where there are no namespaces, runs lie in one all the same, and what recurs in none.
    let mut namespaces = vec![place.narrowed(asked)];
    if asked.is_empty() && !namespaces.contains(&place.namespace) {
        namespaces.push(place.namespace.clone());
    }
    let api = place.api;
    let room = api.event_room().map_err(failed)?;
    let follower = api.feed().follow(namespaces, after).await.map_err(|error| failed(error.into()))?;
    let events = Events { greeted: after.is_some(), follower, beat_at: Instant::now() + HEART_BEAT, _room: room };
    Ok(event_stream(standing.while_allowed(asked.to_owned(), events.into_stream())))
}

struct Events {
    /// Whether the client knows where it stands.
    greeted: bool,
    follower: Follower,
    beat_at: Instant,
    _room: OwnedSemaphorePermit,
}

impl Events {
    /// The events, some at a time. A failure breaks the connection, and the client goes on where it was.
    fn into_stream(self) -> impl Stream<Item = Result<Bytes, MetastoreError>> + Send + 'static {
        stream::try_unfold(self, |mut events| async move {
            let chunk = events.next().await?;
            events.beat_at = Instant::now() + HEART_BEAT;
            Ok(Some((Bytes::from(chunk), events)))
        })
    }

    async fn next(&mut self) -> Result<String, MetastoreError> {
        if !std::mem::replace(&mut self.greeted, true) {
            return Ok(signal("ready", self.follower.position()));
        }
        loop {
            match timeout_at(self.beat_at, self.follower.news()).await {
                Ok(Ok(News::Reset)) => return Ok(signal("reset", self.follower.position())),
                Ok(Ok(News::Changes(changes))) if changes.is_empty() => {}
                Ok(Ok(News::Changes(changes))) => return Ok(changes.iter().map(|change| event(change)).collect()),
                Ok(Err(error)) => return Err(error),
                // Without data it is no event, but says where to go on.
                Err(_) => return Ok(format!(":\nid: {}\n\n", self.follower.position())),
            }
        }
    }
}

/// An event that is about the stream itself.
fn signal(name: &str, position: u64) -> String {
    format!("id: {position}\nevent: {name}\ndata: {{\"id\":{position}}}\n\n")
}

/// A change as an event.
fn event(change: &FeedChange) -> String {
    let mut text = format!("id: {}\nevent: {}\ndata: ", change.id, change.kind);
    // Writing to a string cannot fail. Breaks of lines are escaped in JSON.
    let _ = write!(text, "{}\n\n", Value::Object(described(change)));
    text
}

/// A change as clients see it.
pub(crate) fn described(change: &FeedChange) -> Map<String, Value> {
    let FeedChange { id, namespace, run, kind, at, detail } = change;
    let mut shown = detail.clone();
    shown.insert("id".to_owned(), Value::from(*id));
    shown.insert("kind".to_owned(), Value::from(kind.as_str()));
    shown.insert("at".to_owned(), Value::from(at.to_string()));
    shown.insert("namespace".to_owned(), Value::from(namespace.as_str()));
    if !run.is_nil() {
        shown.insert("run_id".to_owned(), Value::from(run.to_string()));
    }
    if let Some(path) = detail.get("task_path").and_then(Value::as_str) {
        shown.insert("task_id".to_owned(), Value::from(task_id(*run, path).to_string()));
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_event_is_its_lines() {
        let detail = json!({"state": "FAILED", "error": "a\nb"});
        let change = FeedChange {
            id: 7,
            namespace: "team".to_owned(),
            run: Uuid::from_u128(1),
            kind: "run_state".to_owned(),
            at: "2026-08-01T10:00:00Z".parse().unwrap(),
            detail: detail.as_object().unwrap().clone(),
        };
        let text = event(&change);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], ["id: 7", "event: run_state"]);
        assert_eq!((lines.len(), lines[3]), (4, ""), "{text}");
        let data: Value = serde_json::from_str(lines[2].strip_prefix("data: ").unwrap()).unwrap();
        let expected = json!({
            "id": 7, "kind": "run_state", "at": "2026-08-01T10:00:00Z", "namespace": "team",
            "run_id": Uuid::from_u128(1), "state": "FAILED", "error": "a\nb",
        });
        assert_eq!(data, expected);
    }
}
