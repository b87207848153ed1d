//! The log of an attempt that runs as a Pod, from the API server. Afterwards it is in the object store.

mod follow;
mod stamped;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{AsyncBufRead, AsyncReadExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use penstock_spec::keys;
use penstock_spec::log_times::LogPiece;
use penstock_spec::report::AttemptRef;
use penstock_spec::run::RunInfo;
use thiserror::Error;
use tokio::time::Instant;

use super::api::PodApi;
use super::classify::{Elapsed, Expected, Timeouts, Verdict, classify};
use super::failure::RequestError;
use super::identity::attempt_of_pod;
use super::metrics::KubernetesMetrics;
use super::requests::Requests;

use stamped::Stamped;

pub use follow::{FollowedLog, LogNews};

/// How long a container may take to start before its log is given up.
const START_LIMIT: Duration = Duration::from_secs(600);
/// Wait between two looks whether it has started.
const LOOK: Duration = Duration::from_millis(500);
/// Longest wait for what a node has already: somebody waits for the answer, who may have little patience himself.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Bytes of one piece.
const PIECE: usize = 64 << 10;

/// The log of a Pod cannot be read.
#[derive(Debug, Error)]
#[error("cannot read the log of Pod {pod}: {reason}")]
pub struct PodLogError {
    /// The Pod, with its namespace.
    pub pod: String,
    /// Why.
    pub reason: String,
}

/// Where the Pod of an attempt is between its creation and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodStanding {
    /// There is no Pod: none yet, or none any more.
    Absent,
    /// Its container has not started, for this reason.
    Waits(String),
    /// Its container runs, or has ended.
    Started,
}

/// Reads where the Pods of a run are, whoever drives it. Attempts without a Pod are not in it.
pub async fn pod_standings(
    client: kube::Client,
    run: &RunInfo,
    limit: Duration,
) -> Result<HashMap<AttemptRef, PodStanding>, PodLogError> {
    let failed = |reason| PodLogError { pod: format!("{}/*", run.namespace), reason };
    let metrics = KubernetesMetrics::unregistered().map_err(|error| failed(error.to_string()))?;
    let api = PodApi::new(client, &run.namespace, Requests::new(limit, Arc::new(metrics)));
    let pods = api.list_of_run(run.id).await.map_err(|error| failed(error.reason()))?;
    let standings = pods.iter().filter_map(|pod| {
        let attempt = attempt_of_pod(pod)?;
        let standing = standing_of(pod, &attempt);
        Some((attempt, standing))
    });
    Ok(standings.collect())
}

/// Nothing is decided here, so no wait is too long.
fn standing_of(pod: &Pod, attempt: &AttemptRef) -> PodStanding {
    let expected = Expected { attempt: attempt.clone(), uid: None };
    match classify(Some(pod), &expected, Elapsed::default(), &Timeouts::default()) {
        Verdict::Wait { reason: Some(reason), .. } => PodStanding::Waits(reason),
        _ => PodStanding::Started,
    }
}

/// Reads where the Pod of an attempt is.
pub(crate) async fn standing(
    api: &PodApi,
    namespace: &str,
    name: &str,
    attempt: &AttemptRef,
) -> Result<PodStanding, PodLogError> {
    let failed = |error: RequestError| PodLogError { pod: format!("{namespace}/{name}"), reason: error.reason() };
    let pod = api.get(name).await.map_err(failed)?;
    Ok(pod.map_or(PodStanding::Absent, |pod| standing_of(&pod, attempt)))
}

/// What there is by now of the log of an attempt that is a Pod.
pub enum LogSoFar {
    /// Its beginning up to now.
    Log(PodLog),
    /// Nothing, as its container has not started, for this reason.
    Waits(String),
    /// Nothing, as there is no Pod: none yet, or none any more.
    Absent,
}

/// The log of a Pod, piece by piece.
pub struct PodLog {
    pod: String,
    stream: LogStream,
    /// Takes the times out of what the node sends, if it was asked for them.
    stamped: Option<Stamped>,
    /// What was read already, to see whether there is anything.
    first: Option<LogPiece>,
    /// Longest wait for a piece.
    patience: Option<Duration>,
}

type LogStream = Pin<Box<dyn AsyncBufRead + Send>>;

impl PodLog {
    /// Opens what there is by now of an attempt's log, perhaps with its times.
    pub(crate) async fn so_far(
        api: &PodApi,
        namespace: &str,
        name: &str,
        attempt: &AttemptRef,
        with_times: bool,
    ) -> Result<LogSoFar, PodLogError> {
        let pod = format!("{namespace}/{name}");
        let open = async {
            let failed = |error: RequestError| PodLogError { pod: pod.clone(), reason: error.reason() };
            let stream = request(api, name, false, with_times).await.map_err(failed)?;
            let stamped = with_times.then(Stamped::default);
            let mut log = PodLog { pod: pod.clone(), stream, stamped, first: None, patience: Some(ANSWER_LIMIT) };
            log.first = log.next().await?;
            Ok(log)
        };
        let opened = match tokio::time::timeout(ANSWER_LIMIT, open).await {
            Ok(opened) => opened,
            Err(_) => Err(PodLogError { pod: pod.clone(), reason: "the API server does not answer".to_owned() }),
        };
        // Of a Pod without a node, the API server says that the log is empty.
        match opened {
            Ok(log) if log.first.is_some() => Ok(LogSoFar::Log(log)),
            opened => match standing(api, namespace, name, attempt).await? {
                PodStanding::Waits(reason) => Ok(LogSoFar::Waits(reason)),
                PodStanding::Absent => Ok(LogSoFar::Absent),
                PodStanding::Started => opened.map(LogSoFar::Log),
            },
        }
    }

    /// Opens the log to follow it: waits for the container's start, and goes on to its end.
    async fn open(api: &PodApi, namespace: &str, name: &str, with_times: bool) -> Result<PodLog, PodLogError> {
        let pod = format!("{namespace}/{name}");
        let since = Instant::now();
        loop {
            // No limit: of a container that says nothing, a node does not even send the head of the answer.
            let error = match request(api, name, true, with_times).await {
                Ok(stream) => {
                    let stamped = with_times.then(Stamped::default);
                    return Ok(PodLog { pod, stream, stamped, first: None, patience: None });
                }
                Err(error) => error,
            };
            let may_start = matches!(&error, RequestError::Passing { .. })
                || matches!(&error, RequestError::Final(reason) if reason.contains("waiting to start"));
            if !may_start || since.elapsed() >= START_LIMIT {
                return Err(PodLogError { pod, reason: error.reason() });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The next piece; nothing at the end.
    pub async fn next(&mut self) -> Result<Option<LogPiece>, PodLogError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        loop {
            let Some(bytes) = self.read().await? else { return Ok(None) };
            let piece = match &mut self.stamped {
                None => LogPiece::without_times(bytes),
                Some(stamped) => stamped.read(&bytes),
            };
            // It may have been the half of a time.
            if !piece.bytes.is_empty() {
                return Ok(Some(piece));
            }
        }
    }

    async fn read(&mut self) -> Result<Option<Vec<u8>>, PodLogError> {
        let mut piece = vec![0; PIECE];
        let read = self.stream.read(&mut piece);
        let read = match self.patience {
            None => read.await,
            Some(patience) => match tokio::time::timeout(patience, read).await {
                Ok(read) => read,
                Err(_) => return Err(self.failed("its node does not send it".to_owned())),
            },
        };
        match read {
            Ok(0) => Ok(None),
            Ok(length) => {
                piece.truncate(length);
                Ok(Some(piece))
            }
            Err(error) => Err(self.failed(error.to_string())),
        }
    }

    fn failed(&self, reason: String) -> PodLogError {
        PodLogError { pod: self.pod.clone(), reason }
    }
}

/// Asks for the log of a Pod's user container.
async fn request(api: &PodApi, name: &str, follow: bool, timestamps: bool) -> Result<LogStream, RequestError> {
    let container = Some(keys::MAIN_CONTAINER.to_owned());
    let parameters = LogParams { container, follow, timestamps, ..LogParams::default() };
    match api.raw().log_stream(name, &parameters).await {
        Ok(stream) => Ok(Box::pin(stream)),
        Err(error) => Err(RequestError::from(error)),
    }
}
