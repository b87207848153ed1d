//! An API server that takes reports, or refuses them as it was told.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use penstock_spec::keys;
use penstock_spec::pod::PodReport;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(crate) const TOKEN: &str = "token-that-nobody-may-see";
pub(crate) const NAMESPACE: &str = "team";
pub(crate) const POD: &str = "hello-train-0";
pub(crate) const UID: &str = "0f1e2d3c-0000-4000-8000-000000000001";

/// What to do with a request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// This status, message and Retry-After.
    Status(u16, &'static str, Option<u64>),
    /// The Pod as it is.
    Pod(Value),
    /// Nothing, for so long; then the connection is closed.
    Silence(Duration),
    /// Take the report and close the connection without an answer.
    Lost,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) target: String,
    pub(crate) authorization: String,
    pub(crate) content_type: String,
    pub(crate) accept: String,
    pub(crate) patch: Value,
}

#[derive(Debug)]
pub(crate) struct FakeApiServer {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for FakeApiServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FakeApiServer {
    /// Starts, and writes the authority and a token into `pod_dir`.
    pub(crate) async fn start(pod_dir: &Path, script: impl IntoIterator<Item = Answer>) -> FakeApiServer {
        let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        std::fs::write(pod_dir.join(keys::POD_CA_FILE), key.cert.pem()).expect("a file");
        std::fs::write(pod_dir.join(keys::POD_TOKEN_FILE), TOKEN).expect("a file");
        let certificate = CertificateDer::from(key.cert.der().to_vec());
        let private = PrivateKeyDer::try_from(key.signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], private)
            .expect("a server");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (script, seen) = (Arc::new(Mutex::new(VecDeque::from_iter(script))), Arc::new(Mutex::new(Vec::new())));
        let (answers, requests) = (script, Arc::clone(&seen));
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (acceptor, answers, requests) = (acceptor.clone(), Arc::clone(&answers), Arc::clone(&requests));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request| take(request, Arc::clone(&answers), Arc::clone(&requests)));
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        FakeApiServer { port, seen, task }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("requests").clone()
    }

    /// The reports that were offered, in order.
    pub(crate) fn reports(&self) -> Vec<PodReport> {
        let text =
            |seen: &Seen| seen.patch["metadata"]["annotations"][keys::ANNOTATION_REPORT].as_str().map(str::to_owned);
        let texts = self.seen().iter().filter_map(text).collect::<Vec<_>>();
        texts.iter().map(|text| serde_json::from_str(text).expect("a report")).collect()
    }
}

async fn take(
    request: Request<Incoming>,
    script: Arc<Mutex<VecDeque<Answer>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let header =
        |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    seen.lock().expect("requests").push(Seen {
        target: format!("{} {}", head.method, head.uri),
        authorization: header("authorization"),
        content_type: header("content-type"),
        accept: header("accept"),
        patch: serde_json::from_slice(&body).unwrap_or_default(),
    });
    let answer = script.lock().expect("a script").pop_front();
    let (status, message, retry_after) = match answer {
        None => (200, "", None),
        Some(Answer::Pod(pod)) => return Ok(Response::new(Full::from(pod.to_string()))),
        Some(Answer::Status(status, message, retry_after)) => (status, message, retry_after),
        Some(Answer::Silence(time)) => {
            tokio::time::sleep(time).await;
            return Err(std::io::Error::other("silence"));
        }
        Some(Answer::Lost) => return Err(std::io::Error::other("lost")),
    };
    let said = json!({ "kind": "Status", "code": status, "message": message });
    let mut response = Response::builder().status(status);
    if let Some(seconds) = retry_after {
        response = response.header("retry-after", seconds);
    }
    response.body(Full::from(said.to_string())).map_err(std::io::Error::other)
}
