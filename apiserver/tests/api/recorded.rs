//! A server whose store holds a run that nobody carries out: what it did is written down by the tests.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use http_body_util::BodyExt as _;
use penstock_apiserver::{Api, ApiSettings, LiveLog, LiveLogs, PlainLog, WantedLog};
use penstock_engine::{Fact, NodeId, task_id};
use penstock_metastore::{Append, ArtifactRow, Metastore, NewRun, RunRegistration, RunUpdate, TaskKind, TaskRow};
use penstock_objectstore::{LocalAccess, StoreSettings, Stores};
use penstock_spec::Timestamp;
use penstock_spec::artifact::{Artifact, Content};
use penstock_spec::ir::ArtifactType;
use penstock_spec::report::TaskOutputs;
use penstock_spec::run::{RunInfo, RunStatus, TaskStatus};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};
use uuid::Uuid;

use crate::fixture::{Answer, NoSubmission, Server};

/// Node of the task that runs something.
const NODE: NodeId = NodeId(1);
/// Path of that task.
pub(crate) const TASK: &str = "loop[3]/train";

/// Logs in a directory, by task and attempt.
#[derive(Debug)]
struct DirectoryLogs {
    files: PathBuf,
    /// Where the next one that is followed is read instead.
    pipe: Mutex<Option<tokio::io::DuplexStream>>,
    /// Whether that breaks off at its end.
    breaks: Arc<AtomicBool>,
    /// Why there is no log yet.
    waits: Mutex<Option<String>>,
}

fn log_name(task: Uuid, attempt: u32) -> String {
    format!("{task}.{attempt}")
}

/// Nothing more, or an error.
struct Ending(Arc<AtomicBool>);

impl AsyncRead for Ending {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match self.0.load(Ordering::Relaxed) {
            true => Err(io::Error::other("it breaks off")),
            false => Ok(()),
        })
    }
}

#[async_trait::async_trait]
impl LiveLogs for DirectoryLogs {
    async fn open(&self, wanted: &WantedLog) -> io::Result<LiveLog> {
        assert_eq!((wanted.run.info.name.as_str(), wanted.task_key.as_str()), ("hello-abcde", "train"));
        let name = log_name(wanted.attempt.task_id, wanted.attempt.attempt);
        if let Some(pipe) = self.pipe.lock().expect("no panic").take_if(|_| wanted.follow) {
            return Ok(LiveLog::Here(Box::new(PlainLog(pipe.chain(Ending(Arc::clone(&self.breaks)))))));
        }
        match tokio::fs::File::open(self.files.join(name)).await {
            Ok(file) => Ok(LiveLog::Here(Box::new(PlainLog(file)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match &*self.waits.lock().expect("no panic") {
                Some(reason) => Ok(LiveLog::NotYet(reason.clone())),
                None => Ok(LiveLog::Absent),
            },
            Err(error) => Err(error),
        }
    }
}

pub(crate) struct Recorded {
    pub(crate) server: Server,
    pub(crate) store: Metastore,
    pub(crate) api: Api,
    pub(crate) run: Uuid,
    pub(crate) task: Uuid,
    files: PathBuf,
    logs: Arc<DirectoryLogs>,
    facts: AtomicU64,
}

pub(crate) fn row(path: &str, status: TaskStatus, attempt: Option<u32>) -> TaskRow {
    TaskRow {
        node: NODE,
        parent: Some(NodeId(0)),
        path: path.to_owned(),
        key: "train".to_owned(),
        display_name: "train".to_owned(),
        kind: TaskKind::Container,
        status,
        attempt,
        cached: false,
        iteration: None,
        started_at: None,
        finished_at: None,
        error: None,
        reason: None,
        log_uri: None,
        outputs: None,
    }
}

impl Recorded {
    /// A run whose task has just begun its first attempt.
    pub(crate) async fn start() -> Recorded {
        Self::start_with(StoreSettings::default()).await
    }

    /// The same where objects are in other stores too.
    pub(crate) async fn start_with(stores: StoreSettings) -> Recorded {
        Self::start_as(stores, |settings| settings).await
    }

    /// The same with settings of the server's own.
    pub(crate) async fn start_as(stores: StoreSettings, change: impl FnOnce(ApiSettings) -> ApiSettings) -> Recorded {
        let directory = TempDir::new().expect("a directory");
        let files = directory.path().to_owned();
        let store = Metastore::open(&files.join("penstock.db")).await.expect("a store");
        let local = LocalAccess::Beneath(vec![files.clone()]);
        let stores = Stores::new(StoreSettings { local, ..stores }).expect("stores");
        let (pipe, waits) = (Mutex::default(), Mutex::default());
        let logs = Arc::new(DirectoryLogs { files: files.clone(), pipe, waits, breaks: Arc::default() });
        let settings =
            ApiSettings { stores: Some(Arc::new(stores)), live_logs: Some(logs.clone()), ..ApiSettings::default() };
        let api = Api::new(change(settings), store.clone(), Arc::new(NoSubmission)).await.expect("a server");
        let run = Uuid::from_u128(7);
        let now = Timestamp::now();
        let info = RunInfo {
            id: run,
            name: "hello-abcde".to_owned(),
            display_name: "hello".to_owned(),
            pipeline_name: "hello".to_owned(),
            namespace: String::new(),
            pipeline_root: format!("file://{}", files.display()),
            created_at: now,
            scheduled_at: now,
            caching: true,
            workspace: None,
        };
        let new = NewRun {
            info,
            pipeline_text: crate::fixture::PIPELINE.to_owned(),
            parameters: serde_json::Map::new(),
            options: json!({}),
            registration: RunRegistration::default(),
        };
        store.create_run(new).await.expect("a run");
        assert_eq!(store.take_epoch(run).await.expect("an epoch"), 1);
        let server = Server::over(api.clone(), directory);
        let facts = AtomicU64::new(0);
        let recorded = Recorded { server, store, api, run, task: task_id(run, TASK), files, logs, facts };
        let begun = Fact::AttemptStarted { node: NODE, attempt: 0 };
        recorded.append(begun, |append| append.tasks.push(row(TASK, TaskStatus::Running, Some(0)))).await;
        recorded
    }

    pub(crate) async fn append(&self, fact: Fact, add: impl FnOnce(&mut Append)) {
        let expected = self.facts.fetch_add(1, Ordering::Relaxed);
        let mut append = Append::new(self.run, 1, expected);
        append.facts.push((fact, Timestamp::now()));
        add(&mut append);
        self.store.append(append).await.expect("it is stored");
    }

    /// The first attempt fails and the second begins.
    pub(crate) async fn retry(&self, log: Option<&str>) {
        let failure = serde_json::from_value(json!({"cause": "USER", "message": "it broke"}));
        let failed = Fact::AttemptFailed {
            node: NODE,
            attempt: 0,
            failure: failure.expect("a failure"),
            retry_at: Timestamp::now(),
            log_uri: log.map(str::to_owned),
            timings: None,
        };
        self.append(failed, |_| {}).await;
        let begun = Fact::AttemptStarted { node: NODE, attempt: 1 };
        self.append(begun, |append| append.tasks.push(row(TASK, TaskStatus::Running, Some(1)))).await;
    }

    /// The task succeeds, and its log is stored here.
    pub(crate) async fn succeed(&self, attempt: u32, log: Option<&str>) {
        let log_uri = log.map(str::to_owned);
        let succeeded = Fact::TaskSucceeded {
            node: NODE,
            attempt: Some(attempt),
            outputs: TaskOutputs::default(),
            cached_from: None,
            log_uri: log_uri.clone(),
            ran_on_host: false,
            timings: None,
        };
        let task = TaskRow { log_uri, ..row(TASK, TaskStatus::Succeeded, Some(attempt)) };
        self.append(succeeded, |append| append.tasks.push(task)).await;
    }

    /// The run ends.
    pub(crate) async fn end(&self) {
        self.end_as(RunStatus::Succeeded).await;
    }

    /// The run ends in a state.
    pub(crate) async fn end_as(&self, status: RunStatus) {
        let ended: Fact =
            serde_json::from_value(json!({"fact": "runEnded", "status": status, "outputs": {}})).expect("a fact");
        let now = Some(Timestamp::now());
        let update = RunUpdate { status, error: None, started_at: now, finished_at: now };
        self.append(ended, |append| append.run_update = Some(update)).await;
    }

    /// The task has put this out.
    pub(crate) async fn put_out(&self, artifacts: Vec<(&str, Artifact)>) {
        let rows = artifacts.into_iter().map(|(output, artifact)| ArtifactRow {
            node: NODE,
            output: output.to_owned(),
            position: 0,
            artifact,
        });
        let rows = rows.collect();
        self.append(Fact::RetryRequested { from: Vec::new() }, |append| append.artifacts = rows).await;
    }

    /// Stores a file; its URI.
    pub(crate) fn store_file(&self, name: &str, content: &[u8]) -> String {
        let path = self.files.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(&path, content).expect("a file");
        format!("file://{}", path.display())
    }

    /// Writes what an attempt has printed so far.
    pub(crate) fn print(&self, attempt: u32, text: &str) {
        use std::io::Write as _;

        let path = self.files.join(log_name(self.task, attempt));
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).expect("a file");
        file.write_all(text.as_bytes()).expect("it is written");
    }

    /// The next log that is followed is what is written here.
    pub(crate) fn pipe(&self) -> tokio::io::DuplexStream {
        let (read, write) = tokio::io::duplex(1024);
        *self.logs.pipe.lock().expect("no panic") = Some(read);
        write
    }

    /// What is followed breaks off at its end.
    pub(crate) fn break_off(&self) {
        self.logs.breaks.store(true, Ordering::Relaxed);
    }

    /// Says why there is no log yet.
    pub(crate) fn wait(&self, reason: &str) {
        *self.logs.waits.lock().expect("no panic") = Some(reason.to_owned());
    }

    /// Takes away what an attempt has printed.
    pub(crate) fn clean(&self, attempt: u32) {
        std::fs::remove_file(self.files.join(log_name(self.task, attempt))).expect("it was there");
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.server.send(request(path, headers)).await
    }

    /// An answer that is read as it comes.
    pub(crate) async fn open(&self, path: &str) -> Response<Body> {
        self.open_with(path, &[]).await
    }

    pub(crate) async fn open_with(&self, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
        self.server.open(request(path, headers)).await
    }

    /// Changes the store behind everybody's back; the statement has one argument, an id.
    pub(crate) async fn execute(&self, statement: &'static str, id: Uuid) {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.files.join("penstock.db"));
        let options = options.busy_timeout(std::time::Duration::from_secs(10));
        let mut raw = sqlx::ConnectOptions::connect(&options).await.expect("a connection");
        sqlx::query(statement).bind(id).execute(&mut raw).await.expect("it is carried out");
        sqlx::Connection::close(raw).await.expect("it is closed");
    }
}

fn request(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).expect("a request")
}

/// Reads until a text has come; everything that came.
pub(crate) async fn read_until(response: &mut Response<Body>, wanted: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(wanted) {
        let frame = tokio::time::timeout(std::time::Duration::from_secs(20), response.body_mut().frame()).await;
        let frame = frame.expect("in time").unwrap_or_else(|| panic!("it ended after {seen:?}")).expect("no failure");
        seen.push_str(std::str::from_utf8(&frame.into_data().unwrap_or_else(|_| Bytes::new())).expect("text"));
    }
    seen
}

/// A record of something stored.
pub(crate) fn artifact(number: u128, uri: &str, content: Option<Content>) -> Artifact {
    Artifact {
        id: Uuid::from_u128(number),
        name: "model".to_owned(),
        artifact_type: ArtifactType { schema_title: "system.Model".to_owned(), ..ArtifactType::default() },
        uri: uri.to_owned(),
        metadata: json!({"depth": 3}).as_object().expect("an object").clone(),
        content,
    }
}

pub(crate) fn file_of(size: u64) -> Option<Content> {
    Some(Content { directory: false, files: 1, size, digest: "sha256:abc".to_owned() })
}
