//! What attempts of tasks printed: from where it is being written while they are under way, from the object store
//! afterwards.
//!
//! Whatever can go wrong is found out before the first byte, and told as any other refusal.

mod follow;

use std::future;
use std::io;

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use penstock_engine::{Fact, NodeId, task_id};
use penstock_metastore::{RunRow, TaskKind, TaskRow};
use penstock_spec::log_times::{LogPiece, LogTimes, MOST_BYTES, Stamps, index_uri};
use penstock_spec::report::AttemptRef;
use penstock_spec::run::TaskStatus;
use tokio::sync::OwnedSemaphorePermit;

use crate::api::Api;
use crate::error::{ApiError, ErrorKind};
use crate::live_logs::{LiveLog, WantedLog};
use crate::openapi::schema::Kind;
use crate::openapi::{Description, Reply};
use crate::router::{Access, Requires, Resource, Routes, Standing, Verb};
use crate::stored::{Place, StoredObject};
use crate::tasks;
use crate::wire::Query;
use follow::Follow;

/// Facts that are read at once while looking for one.
const FACTS_PAGE: u32 = 500;

pub(super) fn routes(routes: Routes) -> Routes {
    let requires = Requires::Access(Resource::Runs, Verb::Get);
    let log = |name, summary| {
        Description::new(name, summary)
            .query("follow", Kind::Boolean, "Go on until the attempt has ended.")
            .query(
                "timestamps",
                Kind::Boolean,
                "Begin each line with the time at which it was printed (RFC 3339, UTC) and a space; `-` where it is not known.",
            )
            .replies(Reply::Text("text/plain; charset=utf-8"))
    };
    const OF_NODE: &str = "What the newest attempt of a task printed, or the attempt whose Pod is named";
    routes
        .get("/apis/v1alpha1/runs/{run_id}/nodes/{node_id}/log", requires, of_node)
        .describe(log("read_log", OF_NODE))
        .get("/apis/v1beta1/runs/{run_id}/nodes/{node_id}/log", requires, of_node)
        .describe(log("old_read_log", OF_NODE))
        .get("/apis/penstock/v1/runs/{run_id}/tasks/{task_id}/attempts/{attempt}/log", requires, of_attempt)
        .describe(log("read_attempt_log", "What an attempt of a task printed; attempts count from 0"))
}

/// `GET /runs/{run}/nodes/{node}/log`: of the newest attempt, or of the one whose Pod is named.
async fn of_node(
    access: Access,
    standing: Standing,
    Path((run, node)): Path<(String, String)>,
    query: Query,
) -> Result<Response, ApiError> {
    let failed = |error: ApiError| error.within("Failed to read a log");
    let wanted = Wanted::read(&query)?;
    log(&access, (&run, &node, None), wanted, standing).await.map_err(failed)
}

/// `GET /runs/{run}/tasks/{task}/attempts/{attempt}/log`: attempts count from 0.
async fn of_attempt(
    access: Access,
    standing: Standing,
    Path((run, task, attempt)): Path<(String, String, String)>,
    query: Query,
) -> Result<Response, ApiError> {
    let failed = |error: ApiError| error.within("Failed to read a log");
    let number = attempt.parse().map_err(|_| failed(ApiError::not_found("Attempt", &attempt)))?;
    let wanted = Wanted::read(&query)?;
    log(&access, (&run, &task, Some(number)), wanted, standing).await.map_err(failed)
}

/// What is wanted of a log.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    /// What is still to come, too.
    follow: bool,
    with_times: bool,
}

impl Wanted {
    fn read(query: &Query) -> Result<Wanted, ApiError> {
        Ok(Wanted { follow: query.boolean("follow")?, with_times: query.boolean("timestamps")? })
    }

    /// What is there by now.
    fn so_far(self) -> Wanted {
        Wanted { follow: false, ..self }
    }

    fn stamps(self) -> Option<Stamps> {
        self.with_times.then(Stamps::default)
    }
}

/// A log as far as it goes; `standing` says who is to be asked about while it goes on.
async fn log(
    access: &Access,
    (run, task, attempt): (&str, &str, Option<u32>),
    wanted: Wanted,
    standing: Standing,
) -> Result<Response, ApiError> {
    let (api, record) = access.run(run).await?;
    let (api, run) = (&api, record.row);
    let named = tasks::find(api, &run, task).await?;
    let attempt = Attempt::new(&run, &named.row, attempt.or(named.attempt))?;
    let room = api.stream_room()?;
    if attempt.is_under_way(&named.row) {
        if wanted.follow {
            let follow = Follow::begin(api, attempt, wanted.with_times, room).await?;
            let namespace = run.info.namespace.clone();
            return Ok(text(Body::from_stream(standing.while_allowed(namespace, follow.into_stream())), None));
        }
        if let LiveLog::Here(reader) = attempt.live(api, wanted.so_far()).await? {
            return Ok(text(Body::from_stream(follow::to_its_end(reader, wanted.stamps(), room)), None));
        }
    }
    // It may have ended since it was looked up.
    if let Some(object) = attempt.stored(api).await? {
        let size = object.meta.size;
        let Some(mut stamps) = wanted.stamps() else {
            return Ok(text(object.body(0..size, room).await?, Some(size)));
        };
        let pieces = attempt.pieces(api, &object, 0, true, room).await?;
        let stamped = pieces.map(move |piece| piece.map(|piece| Bytes::from(stamps.put(&piece))));
        return Ok(text(Body::from_stream(stamped), None));
    }
    let reason = match attempt.live(api, wanted.so_far()).await? {
        LiveLog::Here(reader) => {
            return Ok(text(Body::from_stream(follow::to_its_end(reader, wanted.stamps(), room)), None));
        }
        LiveLog::NotYet(reason) => format!("{attempt} has no log yet: {reason}"),
        LiveLog::Absent => format!("{attempt} has no log, or none yet"),
    };
    Err(ApiError::new(ErrorKind::NotFound, reason))
}

fn text(body: Body, length: Option<u64>) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

/// An attempt that exists, or did.
#[derive(Debug, Clone)]
struct Attempt {
    run: RunRow,
    node: NodeId,
    path: String,
    key: String,
    number: u32,
}

impl std::fmt::Display for Attempt {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "attempt {} of task {} of run {}", self.number, self.path, self.run.info.id)
    }
}

impl Attempt {
    /// The attempt of a task that is asked for; the newest when none is.
    fn new(run: &RunRow, task: &TaskRow, asked: Option<u32>) -> Result<Attempt, ApiError> {
        let none = |text: &str| Err(ApiError::new(ErrorKind::NotFound, format!("task {} {text}", task.path)));
        if task.kind != TaskKind::Container {
            return none("has no log: it runs nothing itself; name a task within it");
        }
        let Some(latest) = task.attempt else {
            return match task.cached {
                true => none("has no log: its result was taken from the cache"),
                false if task.status.is_final() => none("has no log: nothing of it was started"),
                false => none("has no log yet: it has not started"),
            };
        };
        let number = asked.unwrap_or(latest);
        if number > latest {
            return none(&format!("has no attempt {number}: they count from 0, and {latest} is the newest"));
        }
        let (path, key) = (task.path.clone(), task.key.clone());
        Ok(Attempt { run: run.clone(), node: task.node, path, key, number })
    }

    /// Whether it has not ended, as far as the row of its task says.
    fn is_under_way(&self, task: &TaskRow) -> bool {
        task.status == TaskStatus::Running && task.attempt == Some(self.number)
    }

    /// What it has written where it runs.
    async fn live(&self, api: &Api, wanted: Wanted) -> Result<LiveLog, ApiError> {
        let Some(logs) = &api.settings().live_logs else { return Ok(LiveLog::Absent) };
        let run_id = self.run.info.id;
        let attempt = AttemptRef { run_id, task_id: task_id(run_id, &self.path), attempt: self.number };
        let Wanted { follow, with_times } = wanted;
        let wanted = WantedLog { run: self.run.clone(), task_key: self.key.clone(), attempt, follow, with_times };
        logs.open(&wanted).await.map_err(|error| {
            ApiError::new(ErrorKind::Unavailable, format!("cannot read the log of {self} where it is written: {error}"))
        })
    }

    /// What was stored of it.
    async fn stored(&self, api: &Api) -> Result<Option<StoredObject>, ApiError> {
        match self.log_uri(api).await? {
            Some(uri) => Place::of_run(api, &self.run.info.pipeline_root, &uri)?.object().await,
            None => Ok(None),
        }
    }

    /// What was stored of it from a byte on, perhaps with its times.
    async fn pieces(
        &self,
        api: &Api,
        object: &StoredObject,
        from: u64,
        with_times: bool,
        room: OwnedSemaphorePermit,
    ) -> Result<BoxStream<'static, io::Result<LogPiece>>, ApiError> {
        let times = if with_times { self.times(api).await? } else { LogTimes::default() };
        let chunks = object.read(from..object.meta.size, room).await?;
        let pieces = chunks.scan(from, move |offset, chunk| {
            let piece = chunk.map(|chunk| {
                let piece = LogPiece::timed(chunk.into(), *offset, &times, None);
                *offset += piece.bytes.len() as u64;
                piece
            });
            future::ready(Some(piece))
        });
        Ok(pieces.boxed())
    }

    /// By when what was stored of it was printed, as far as that is known.
    async fn times(&self, api: &Api) -> Result<LogTimes, ApiError> {
        let mut times = LogTimes::default();
        let Some(uri) = self.log_uri(api).await? else { return Ok(times) };
        let place = Place::of_run(api, &self.run.info.pipeline_root, &index_uri(&uri))?;
        // Whoever can write to the store may have put anything there.
        if let Some(index) = place.object().await?.filter(|index| index.meta.size <= MOST_BYTES) {
            times.read(&String::from_utf8_lossy(&index.part(0..index.meta.size).await?));
        }
        Ok(times)
    }

    /// Where its log was stored. The row of the task knows that of the newest attempt which has ended; only the facts
    /// remember the others.
    async fn log_uri(&self, api: &Api) -> Result<Option<String>, ApiError> {
        let (mut after, mut found) = (0, None);
        let task = api.metastore().task(self.run.info.id, &self.path).await?;
        if let Some(task) = task.filter(|task| task.attempt == Some(self.number) && task.status.is_final()) {
            return Ok(task.log_uri);
        }
        loop {
            let page = api.metastore().facts(self.run.info.id, after, FACTS_PAGE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = last.seq;
            // After a retry of the run attempts may repeat; the newest counts.
            for stored in page {
                if let Some(uri) = self.log_uri_in(stored.fact) {
                    found = uri;
                }
            }
        }
    }

    /// Where a fact says that its log is; `None` if the fact is about something else.
    fn log_uri_in(&self, fact: Fact) -> Option<Option<String>> {
        let (node, attempt, log_uri) = match fact {
            Fact::AttemptFailed { node, attempt, log_uri, .. } => (node, Some(attempt), log_uri),
            Fact::TaskFailed { node, attempt, log_uri, .. } | Fact::TaskSucceeded { node, attempt, log_uri, .. } => {
                (node, attempt, log_uri)
            }
            _ => return None,
        };
        (node == self.node && attempt == Some(self.number)).then_some(log_uri)
    }
}
