//! A run's facts as server-sent events: from where a client left off, and on as they happen.
//!
//! A client takes facts from the store at its own pace, so nothing is queued for it here. One that does not read is cut
//! off by the listener, and goes on later behind the last event that it has.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::{Stream, stream};
use penstock_metastore::{FactText, MetastoreError};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::api::Api;
use crate::changes::RunChanges;
use crate::error::ApiError;
use crate::openapi::schema::Kind;
use crate::openapi::{Description, Reply};
use crate::router::{Access, Requires, Resource, Routes, Standing, Verb};
use crate::wire::Query;

/// Facts that are sent at once.
const PAGE: u32 = 64;
/// How long nothing may be sent.
pub(super) const HEART_BEAT: Duration = Duration::from_secs(15);
/// Where a client says behind which event it goes on.
const LAST_EVENT_ID: &str = "last-event-id";

pub(super) fn routes(routes: Routes) -> Routes {
    let requires = Requires::Access(Resource::Runs, Verb::Get);
    let about = Description::new("follow_run", "What happens in a run, as server-sent events")
        .query("after", Kind::Int64, "Behind which event to go on. Last-Event-ID says the same, and wins.")
        .replies(Reply::Events);
    routes.get("/apis/penstock/v1/runs/{run_id}/events", requires, events).describe(about)
}

/// `GET /runs/{run}/events`
async fn events(
    access: Access,
    standing: Standing,
    Path(run): Path<String>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, ApiError> {
    let failed = |error: ApiError| error.within("Failed to follow a run");
    let after = last_event(&headers, &query).map_err(failed)?.unwrap_or(0);
    let (api, record) = access.run(&run).await.map_err(failed)?;
    let row = record.row;
    if after > 0 && row.finished_at.is_some() && after >= row.fact_count {
        // To clients that connect again by themselves this means that they need not.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let room = api.event_room().map_err(failed)?;
    let run = row.info.id;
    let changes = RunChanges::listen(api.metastore(), run);
    let events = Events { api, run, after, changes, is_at_end: false, beat_at: Instant::now(), _room: room };
    Ok(event_stream(standing.while_allowed(row.info.namespace, events.into_stream())))
}

/// An answer that is a stream of events.
pub(super) fn event_stream(events: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Response {
    let mut response = Response::new(Body::from_stream(events));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    // Proxies that gather replies would keep events back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// The number of the last event that the client has, if it has any. A client that connects again says it in a header; it
/// does not know its URL's query any better than at first.
pub(super) fn last_event(headers: &HeaderMap, query: &Query) -> Result<Option<u64>, ApiError> {
    let (name, text) = match headers.get(LAST_EVENT_ID) {
        Some(value) => ("Last-Event-ID", value.to_str().unwrap_or("?")),
        None => ("after", query.text("after")?),
    };
    match text {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| ApiError::invalid(format!("{name} {text:?} is not the number of an event"))),
    }
}

struct Events {
    api: Api,
    run: Uuid,
    after: u64,
    changes: RunChanges,
    /// Whether all that was stored has been read, and nothing says that the run has ended.
    is_at_end: bool,
    beat_at: Instant,
    _room: OwnedSemaphorePermit,
}

impl Events {
    /// The events, some at a time. A failure breaks the connection, and the client goes on where it was.
    fn into_stream(self) -> impl Stream<Item = Result<Bytes, MetastoreError>> + Send + 'static {
        stream::try_unfold(self, |mut events| async move { Ok(events.next().await?.map(|chunk| (chunk, events))) })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, MetastoreError> {
        loop {
            if self.is_at_end {
                tokio::select! {
                    () = self.changes.changed() => {}
                    () = sleep_until(self.beat_at) => {
                        self.beat_at = Instant::now() + HEART_BEAT;
                        return Ok(Some(Bytes::from_static(b":\n\n")));
                    }
                }
            }
            // One statement for each thing that happens: there may be very many who follow it.
            let page = self.api.metastore().fact_texts(self.run, self.after, PAGE).await?;
            self.is_at_end = page.len() < PAGE as usize && !page.last().is_some_and(may_be_end);
            if let Some(last) = page.last() {
                self.after = last.seq;
                self.beat_at = Instant::now() + HEART_BEAT;
                return Ok(Some(page.iter().map(event).collect::<String>().into()));
            }
            if self.is_over().await? {
                return Ok(None);
            }
        }
    }

    /// Whether no further fact follows, unless somebody retries the run.
    async fn is_over(&self) -> Result<bool, MetastoreError> {
        match self.api.metastore().run(self.run).await {
            Ok(row) => Ok(row.finished_at.is_some() && self.after >= row.fact_count),
            Err(MetastoreError::NoSuchRun { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

/// Whether a run may have ended with this fact. What users wrote into it may say so too.
fn may_be_end(fact: &FactText) -> bool {
    fact.json.contains("runEnded")
}

/// A fact as an event.
fn event(fact: &FactText) -> String {
    let FactText { seq, at, json } = fact;
    // Breaks of lines are space in JSON, and would end the data.
    let json = json.replace(['\n', '\r'], " ");
    format!("id: {seq}\ndata: {{\"seq\":{seq},\"at\":\"{at}\",\"fact\":{json}}}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_its_lines() {
        let fact =
            FactText { seq: 7, at: "2026-08-01T10:00:00Z".parse().unwrap(), json: "{\"fact\":\n\"x\\n\"}".to_owned() };
        let expected = "id: 7\ndata: {\"seq\":7,\"at\":\"2026-08-01T10:00:00Z\",\"fact\":{\"fact\": \"x\\n\"}}\n\n";
        assert_eq!(event(&fact), expected);
    }
}
