//! The one request that the sidecar makes of Kubernetes: a merge patch of its own Pod's report annotation. Without an
//! annotation it changes nothing, and its answer is the Pod as it is: nobody needs the right to read Pods for that.
//!
//! Token and authorities are read anew for each try, because the kubelet renews both. The patch names the Pod's UID, so
//! that a later Pod of the same name refuses it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use penstock_spec::keys;
use penstock_spec::pod::PodReport;
use rand::RngExt;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::assignment::read_file;
use super::report::{encode, encode_within};
use crate::report::describe;

/// Longest time for one try.
const TRY_LIMIT: Duration = Duration::from_secs(10);
/// Longest wait before the second try; doubles for each further one.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// Longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The most bytes of an answer that are read.
const MAX_ANSWER: usize = 256 << 10;
/// The most bytes of a Pod: more than what Kubernetes stores.
const MAX_POD: usize = 4 << 20;
/// The most bytes of token and authorities.
const MAX_FILE: u64 = 1 << 20;
/// The most characters of an answer's message that are shown.
const SHOWN: usize = 300;
/// What is left of a report that was too large.
const SHORT_REPORT: usize = 1024;

/// The API server, and the Pod that reports.
#[derive(Debug, Clone)]
pub struct ApiServer {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Namespace of the Pod.
    pub namespace: String,
    /// Name of the Pod.
    pub pod_name: String,
    /// Directory with token and authorities.
    pub pod_dir: PathBuf,
}

/// A report that could not be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReportError {
    /// The API server will never take it: the Pod is gone, is another one, or has its report already.
    #[error("the API server refuses the report on Pod {pod}: {reason}")]
    Refused {
        /// Namespace and name.
        pod: String,
        /// What it said.
        reason: String,
    },
    /// It could not be reached, or was not able to take it, for as long as was allowed.
    #[error("the report on Pod {pod} could not be delivered within {} s (after {tries} tries): {reason}", budget.as_secs())]
    GaveUp {
        /// Namespace and name.
        pod: String,
        /// How long it was tried.
        budget: Duration,
        /// How often.
        tries: u32,
        /// The last reason.
        reason: String,
    },
}

/// What an answer says, and so how much of it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Done,
    WholePod,
}

/// How a try failed.
#[derive(Debug)]
enum Refusal {
    Later { reason: String, after: Option<Duration> },
    TooLarge { reason: String },
    Never { reason: String },
}

impl ApiServer {
    /// Writes the report on the Pod. Repeating what is there already is fine.
    pub async fn deliver(&self, report: &PodReport, budget: Duration) -> Result<(), ReportError> {
        let started = Instant::now();
        let pod = format!("{}/{}", self.namespace, self.pod_name);
        let mut text = encode(report);
        let mut tries = 0_u32;
        loop {
            tries += 1;
            let patch = json!({ "metadata": {
                "uid": report.pod_uid, "annotations": { keys::ANNOTATION_REPORT: text },
            } });
            let (reason, after) = match self.try_once(&patch, Answer::Done).await {
                Ok(_) => return Ok(()),
                Err(Refusal::Never { reason }) => return Err(ReportError::Refused { pod, reason }),
                Err(Refusal::TooLarge { reason }) if text.len() <= SHORT_REPORT => {
                    return Err(ReportError::Refused { pod, reason });
                }
                Err(Refusal::TooLarge { reason }) => {
                    let shorter = encode_within(&PodReport { timings: None, ..report.clone() }, SHORT_REPORT);
                    if shorter == text {
                        return Err(ReportError::Refused { pod, reason });
                    }
                    text = shorter;
                    continue;
                }
                Err(Refusal::Later { reason, after }) => (reason, after),
            };
            let wait = wait_after(tries, after);
            if started.elapsed() + wait > budget {
                return Err(ReportError::GaveUp { pod, budget, tries, reason });
            }
            tracing::warn!(tries, wait_ms = wait.as_millis(), reason, "cannot report on the Pod yet, trying again");
            tokio::time::sleep(wait).await;
        }
    }

    /// Whether the Pod is being ended because somebody deleted it, and not because the cluster takes it away. An error is
    /// why that is not known.
    pub async fn find_out_whether_deleted(&self, uid: &str, budget: Duration) -> Result<bool, String> {
        let started = Instant::now();
        let patch = json!({ "metadata": { "uid": uid } });
        let mut tries = 0_u32;
        loop {
            tries += 1;
            let failed = |reason: &str| {
                let (namespace, pod) = (&self.namespace, &self.pod_name);
                format!("cannot find out why Pod {namespace}/{pod} is being ended (after {tries} tries): {reason}")
            };
            let (reason, after) = match self.try_once(&patch, Answer::WholePod).await {
                Ok(body) => {
                    let pod = serde_json::from_slice(&body).map_err(|error| failed(&error.to_string()))?;
                    return Ok(is_deleted_on_purpose(&pod));
                }
                Err(Refusal::Later { reason, after }) => (reason, after),
                Err(Refusal::TooLarge { reason } | Refusal::Never { reason }) => return Err(failed(&reason)),
            };
            let wait = wait_after(tries, after);
            if started.elapsed() + wait > budget {
                return Err(failed(&reason));
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn try_once(&self, patch: &Value, answer: Answer) -> Result<Bytes, Refusal> {
        match tokio::time::timeout(TRY_LIMIT, Box::pin(self.patch(patch, answer))).await {
            Ok(done) => done,
            Err(_) => Err(Refusal::Later { reason: "no answer in time".to_owned(), after: None }),
        }
    }

    async fn patch(&self, patch: &Value, wanted: Answer) -> Result<Bytes, Refusal> {
        let later = |reason: String| Refusal::Later { reason, after: None };
        let request = self.request(patch, wanted).map_err(later)?;
        let config = self.tls().map_err(later)?;
        let reach = |error: &dyn std::error::Error| {
            later(format!("cannot reach the API server {}:{}: {}", self.host, self.port, describe(error)))
        };
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|error| reach(&error))?;
        let name = ServerName::try_from(self.host.clone()).map_err(|error| reach(&error))?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| reach(&error))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| reach(&error))?;
        // The request fails if the connection does.
        let connection = tokio::spawn(connection);
        let answered = async {
            let answer = sender.send_request(request).await.map_err(|error| reach(&error))?;
            let (head, body) = answer.into_parts();
            let limit = if wanted == Answer::WholePod { MAX_POD } else { MAX_ANSWER };
            let body = match head.status.is_success() && wanted == Answer::Done {
                true => Ok(Bytes::new()),
                false => Limited::new(body, limit).collect().await.map(|body| body.to_bytes()),
            };
            judge(head.status, &head.headers, body.as_deref().unwrap_or_default())?;
            body.map_err(|error| later(format!("cannot read the answer: {error}")))
        };
        let answered = answered.await;
        connection.abort();
        answered
    }

    fn request(&self, patch: &Value, wanted: Answer) -> Result<Request<Full<Bytes>>, String> {
        let token = self.file(keys::POD_TOKEN_FILE)?;
        let token = std::str::from_utf8(token.trim_ascii()).map_err(|_| "the token is not text".to_owned())?;
        let mut bearer =
            HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| "the token is not one line".to_owned())?;
        bearer.set_sensitive(true);
        let path = format!(
            "/api/v1/namespaces/{}/pods/{}?fieldManager={}",
            self.namespace,
            self.pod_name,
            keys::SIDECAR_CONTAINER
        );
        let accept = match wanted {
            Answer::Done => "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
            Answer::WholePod => "application/json",
        };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        Request::builder()
            .method(Method::PATCH)
            .uri(path)
            .header(HOST, format!("{host}:{}", self.port))
            .header(USER_AGENT, concat!("penstock-launcher/", env!("CARGO_PKG_VERSION")))
            .header(AUTHORIZATION, bearer)
            .header(CONTENT_TYPE, "application/merge-patch+json")
            .header(ACCEPT, accept)
            .body(Full::from(patch.to_string()))
            .map_err(|error| format!("the Pod's namespace or name is not one: {error}"))
    }

    fn tls(&self) -> Result<ClientConfig, String> {
        let pem = self.file(keys::POD_CA_FILE)?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let added = certificate
                .map_err(|error| error.to_string())
                .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
            added.map_err(|reason| format!("{} is not acceptable: {reason}", keys::POD_CA_FILE))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| format!("TLS cannot be set up: {error}"))?;
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }

    fn file(&self, name: &str) -> Result<Vec<u8>, String> {
        let path = self.pod_dir.join(name);
        match read_file(&path, MAX_FILE) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(format!("{} is missing or empty", path.display())),
            Err(error) => Err(describe(&error)),
        }
    }
}

/// Whether somebody deleted a Pod. Who evicts, preempts or drains says so in a condition beforehand; where a node ends
/// what runs on it, nothing is deleted.
fn is_deleted_on_purpose(pod: &Value) -> bool {
    let is_deleted = pod.pointer("/metadata/deletionTimestamp").is_some_and(|time| !time.is_null());
    let mut conditions = pod.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let is = |condition: &Value, name: &str, value: &str| condition.get(name).is_some_and(|there| there == value);
    let is_disrupted = conditions.any(|one| is(one, "type", "DisruptionTarget") && is(one, "status", "True"));
    is_deleted && !is_disrupted
}

/// A wait before the next try.
fn wait_after(tries: u32, asked: Option<Duration>) -> Duration {
    let longest = FIRST_WAIT.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(LONGEST_WAIT);
    longest.mul_f64(rand::rng().random_range(0.5..=1.0)).max(asked.unwrap_or_default())
}

/// What an answer means.
fn judge(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
    if status.is_success() {
        return Ok(());
    }
    let said: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let message = said.get("message").and_then(serde_json::Value::as_str).unwrap_or_default();
    let shown: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    let reason = format!("{status}: {shown}");
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Err(Refusal::TooLarge { reason }),
        StatusCode::UNPROCESSABLE_ENTITY if message.to_ascii_lowercase().contains("too long") => {
            Err(Refusal::TooLarge { reason })
        }
        // The token may be renewed, and rights may be on their way.
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_MANY_REQUESTS => Err(Refusal::Later { reason, after: retry_after(headers) }),
        status if status.is_server_error() => Err(Refusal::Later { reason, after: retry_after(headers) }),
        _ => Err(Refusal::Never { reason }),
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f12_a_pod_that_the_cluster_takes_away_is_not_deleted_on_purpose() {
        let deleted = json!({ "deletionTimestamp": "2026-01-02T03:04:05Z" });
        let condition = |kind: &str, status: &str| json!({ "conditions": [{ "type": kind, "status": status }] });
        for (metadata, status, expected) in [
            (&deleted, json!({}), true),
            (&deleted, condition("Ready", "True"), true),
            (&deleted, condition("DisruptionTarget", "False"), true),
            (&deleted, condition("DisruptionTarget", "True"), false),
            (&json!({}), condition("DisruptionTarget", "True"), false),
            (&json!({ "deletionTimestamp": null }), json!({}), false),
        ] {
            let pod = json!({ "metadata": metadata, "status": status });
            assert_eq!(is_deleted_on_purpose(&pod), expected, "{pod}");
        }
        assert!(!is_deleted_on_purpose(&Value::Null));
    }
}
