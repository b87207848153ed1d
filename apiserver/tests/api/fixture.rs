//! A server without a socket.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use axum::{Router, body};
use penstock_apiserver::{Api, ApiSettings, NewSubmission, Submission, SubmissionError};
use penstock_metastore::Metastore;
use penstock_spec::limits::Limits;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::contract;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A pipeline that runs nothing.
pub(crate) const PIPELINE: &str = r#"
pipelineInfo: {name: hello}
schemaVersion: 2.1.0
root:
  dag:
    tasks:
      t: {taskInfo: {name: t}, componentRef: {name: c}}
components:
  c: {executorLabel: e}
deploymentSpec:
  executors:
    e: {container: {image: "python:3.12", command: [echo]}}
"#;

/// What the documents say of it again.
pub(crate) fn shown() -> Value {
    serde_json::json!({
        "pipelineInfo": {"name": "hello"},
        "schemaVersion": "2.1.0",
        "root": {"dag": {"tasks": {"t": {"taskInfo": {"name": "t"}, "componentRef": {"name": "c"}}}}},
        "components": {"c": {"executorLabel": "e"}},
        "deploymentSpec": {"executors": {"e": {"container": {"image": "python:3.12", "command": ["echo"]}}}},
    })
}

pub(crate) struct Server {
    router: Router,
    _directory: TempDir,
}

/// These tests make no runs.
#[derive(Debug)]
pub(crate) struct NoSubmission;

#[async_trait::async_trait]
impl Submission for NoSubmission {
    async fn submit(&self, submission: NewSubmission) -> Result<(), SubmissionError> {
        Err(SubmissionError::Refused(format!("there is nobody to run {}", submission.id)))
    }
}

/// A reply.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body of a reply that has to be JSON.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.headers.get(header::CONTENT_TYPE), Some(&JSON), "{self:?}");
        serde_json::from_str(&self.text).expect("the body is JSON")
    }

    /// The same of one that has to be a success.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        self.json()
    }

    /// The short text of a refusal with this status.
    pub(crate) fn refused(&self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        let body = self.json();
        let short = body["details"][0]["message"].as_str();
        short.or(body["message"].as_str()).expect("a message").to_owned()
    }

    /// The first text of a refused upload.
    pub(crate) fn refused_upload(&self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        let body = self.json();
        assert!(body["error_details"].is_string(), "{body}");
        body["error_message"].as_str().expect("a message").to_owned()
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        let (api, directory) = Self::api().await;
        Self::over(api, directory)
    }

    /// A server whose stores are in a directory.
    pub(crate) fn over(api: Api, directory: TempDir) -> Self {
        Self { router: penstock_apiserver::router(api), _directory: directory }
    }

    /// What a server answers with; the directory holds its store.
    pub(crate) async fn api() -> (Api, TempDir) {
        Self::api_with(|settings| settings).await
    }

    /// The same with other settings.
    pub(crate) async fn api_with(change: impl FnOnce(ApiSettings) -> ApiSettings) -> (Api, TempDir) {
        let directory = TempDir::new().expect("a directory");
        let metastore = Metastore::open(&directory.path().join("penstock.db")).await.expect("a store");
        let settings = ApiSettings {
            version: "1.2.3".to_owned(),
            commit: "abcdef".to_owned(),
            limits: Limits { document_bytes: 64 << 10, ..Limits::default() },
            ..ApiSettings::default()
        };
        let api = Api::new(change(settings), metastore, Arc::new(NoSubmission)).await.expect("a server");
        (api, directory)
    }

    /// An answer whose body is still to come.
    pub(crate) async fn open(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {})
    }

    /// Sends a request; the reply has to be as the OpenAPI document says.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = self.open(request).await;
        Self::read(&method, &path, answer).await
    }

    /// Reads an answer to its end, but for the stream of a namespace, which has none.
    pub(crate) async fn read(method: &Method, path: &str, answer: Response<Body>) -> Answer {
        let (parts, content) = answer.into_parts();
        let is_endless = path == "/apis/penstock/v1/events" && parts.status == StatusCode::OK;
        let content = if is_endless { Body::empty() } else { content };
        let bytes = body::to_bytes(content, usize::MAX).await.expect("a body");
        assert_eq!(parts.headers.get("x-content-type-options"), Some(&HeaderValue::from_static("nosniff")));
        // T-14, T-26: whatever is asked for, nothing in the answer is run, and no page frames it.
        let policy = parts.headers.get("content-security-policy").and_then(|policy| policy.to_str().ok());
        assert!(policy.is_some_and(|policy| policy.contains("default-src 'none'")), "{policy:?}");
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        let answer = Answer { status: parts.status, headers: parts.headers, text };
        contract::check(method, path, &answer);
        answer
    }

    /// A GET of a whole path.
    pub(crate) async fn get_whole(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    /// Sends what the clients send with every call, bodies or not.
    pub(crate) async fn call(&self, method: Method, path: &str, content: impl Into<Body>) -> Answer {
        let request = Request::builder().method(method).uri(format!("/apis/v2beta1{path}"));
        let request = request.header(header::CONTENT_TYPE, "application/json").body(content.into()).expect("a request");
        self.send(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, content: Value) -> Answer {
        self.call(Method::POST, path, content.to_string()).await
    }

    pub(crate) async fn patch(&self, path: &str, content: Value) -> Answer {
        self.call(Method::PATCH, path, content.to_string()).await
    }

    /// An action: a POST without a body.
    pub(crate) async fn act(&self, path: &str) -> Answer {
        self.call(Method::POST, path, Body::empty()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, Body::empty()).await
    }

    /// Uploads a file as the Python client does.
    pub(crate) async fn upload(&self, path: &str, file_name: &str, content: &[u8]) -> Answer {
        let head = format!(
            "--edge\r\nContent-Disposition: form-data; name=\"uploadfile\"; filename=\"{file_name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let form = [head.as_bytes(), content, b"\r\n--edge--\r\n"].concat();
        self.send_form(path, form).await
    }

    /// Sends a form whose boundary is `edge`.
    pub(crate) async fn send_form(&self, path: &str, form: Vec<u8>) -> Answer {
        let request = Request::post(format!("/apis/v2beta1/pipelines{path}"))
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=edge")
            .body(Body::from(form))
            .expect("a request");
        self.send(request).await
    }

    /// The names of a list, and the token of its next page.
    pub(crate) async fn names(&self, path: &str, list: &str) -> (Vec<String>, Option<String>) {
        let reply = self.get(path).await.ok();
        let names = reply[list].as_array().map_or(Vec::new(), |items| {
            items.iter().map(|item| item["display_name"].as_str().expect("a name").to_owned()).collect()
        });
        (names, reply["next_page_token"].as_str().map(str::to_owned))
    }
}

/// A filter in a query.
pub(crate) fn filter(operation: &str, key: &str, value: &Value) -> String {
    let mut predicate = serde_json::json!({"operation": operation, "key": key});
    predicate.as_object_mut().expect("an object").extend(value.as_object().expect("an object").clone());
    let text = serde_json::json!({"predicates": [predicate]}).to_string();
    format!("filter={}", form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>())
}
