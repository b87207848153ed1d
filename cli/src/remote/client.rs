//! Requests to one server: where it is, what it is shown, how long an answer may take and how large it may be.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::multipart::Form;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Method, RequestBuilder, Response, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::RemoteError;
use super::pinned;
use super::place::{Named, Place};
use super::token::Token;
use crate::failure::Refusal;

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest wait for the beginning of an answer. A large pipeline is checked before it is answered.
const ANSWER: Duration = Duration::from_secs(60);
/// Longest pause within an answer that has a length.
const CHUNK: Duration = Duration::from_secs(60);
/// Most bytes of an answer that is read whole: a page of pipelines, each of up to 32 MiB, is asked for so that it fits.
const ANSWER_BYTES: usize = 256 << 20;
/// Most bytes of a refusal.
const REFUSAL_BYTES: usize = 1 << 20;

/// A server, and how it is spoken to.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    named: Named,
    namespace: String,
}

/// The parts of a path; each is escaped.
pub(crate) type Segments<'a> = &'a [&'a str];
/// The parameters of a query.
pub(crate) type Query<'a> = &'a [(&'a str, &'a str)];

/// By what a server is known, where TLS is spoken.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trust<'a> {
    /// A certificate for its name, of an authority of this machine.
    System,
    /// The same of an authority of this file.
    Authorities(&'a Path),
    /// The first certificate of this file, whatever name it is for.
    Certificate(&'a Path),
}

impl Client {
    /// For the server at a URL.
    pub(crate) fn new(url: &str, named: Named, token: Option<&Token>, trust: Trust<'_>) -> anyhow::Result<Client> {
        let base = parse(url, named)?;
        let is_local = is_this_machine(&base);
        if token.is_some() && base.scheme() == "http" && !is_local {
            tracing::warn!("the token is sent to {base} without encryption: others on the way can read it; use https");
        }
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, token.header());
        }
        // Nobody else may have chosen: one provider for everything.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("penstock/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .connect_timeout(CONNECT)
            .tcp_keepalive(Duration::from_secs(30))
            // A login page is no answer, and a token is not for whoever it leads to.
            .redirect(Policy::none());
        if is_local {
            builder = builder.no_proxy();
        }
        builder = match trust {
            Trust::System => builder,
            Trust::Authorities(file) => builder.tls_certs_only(certificates(file, named)?),
            Trust::Certificate(file) => builder.tls_backend_preconfigured(pinned::config(file)?),
        };
        let http = builder.build().context("cannot set up HTTP")?;
        Ok(Client { http, base, named, namespace: String::new() })
    }

    /// For a namespace of the server, if several use it.
    pub(crate) fn within(self, namespace: Option<&str>) -> Client {
        Client { namespace: namespace.unwrap_or_default().to_owned(), ..self }
    }

    /// The same server, otherwise named.
    pub(crate) fn named(self, named: Named) -> Client {
        Client { named, ..self }
    }

    /// The namespace; empty where none was said.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What a list says of where it is to be from.
    pub(crate) fn where_in_it(&self) -> Option<(&str, &str)> {
        (!self.namespace.is_empty()).then_some(("namespace", self.namespace.as_str()))
    }

    /// Which server it is.
    pub(crate) fn place(&self) -> Place {
        Place { url: self.url().to_owned(), named: self.named }
    }

    /// Where the server is.
    pub(crate) fn url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Asks for a document.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: Segments<'_>,
        query: Query<'_>,
    ) -> Result<T, RemoteError> {
        self.document(Method::GET, path, query, None).await
    }

    /// Sends a document, and takes the one of the answer.
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: Segments<'_>,
        body: &Value,
    ) -> Result<T, RemoteError> {
        self.document(method, path, &[], Some(body)).await
    }

    /// Asks for something to be done.
    pub(crate) async fn act(&self, method: Method, path: Segments<'_>) -> Result<(), RemoteError> {
        self.document::<Value>(method, path, &[], None).await.map(drop)
    }

    /// Asks for something to be deleted, and takes the document of the answer.
    pub(crate) async fn delete<T: DeserializeOwned>(
        &self,
        path: Segments<'_>,
        query: Query<'_>,
    ) -> Result<T, RemoteError> {
        self.document(Method::DELETE, path, query, None).await
    }

    /// Sends a form.
    pub(crate) async fn upload<T: DeserializeOwned>(
        &self,
        path: Segments<'_>,
        query: Query<'_>,
        form: Form,
    ) -> Result<T, RemoteError> {
        let (request, path) = self.request(Method::POST, path, query);
        let response = self.answer(request.multipart(form), &path).await?;
        read(&self.whole(response, ANSWER_BYTES).await?, &path)
    }

    /// An answer that is read as it comes.
    pub(crate) async fn open(
        &self,
        path: Segments<'_>,
        query: Query<'_>,
        header: Option<(&'static str, String)>,
    ) -> Result<Response, RemoteError> {
        let (mut request, path) = self.request(Method::GET, path, query);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        self.answer(request, &path).await
    }

    async fn document<T: DeserializeOwned>(
        &self,
        method: Method,
        path: Segments<'_>,
        query: Query<'_>,
        body: Option<&Value>,
    ) -> Result<T, RemoteError> {
        let (mut request, path) = self.request(method, path, query);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = self.answer(request, &path).await?;
        let is_json = content_type(&response).is_some_and(|kind| kind.starts_with("application/json"));
        let status = response.status().as_u16();
        let bytes = self.whole(response, ANSWER_BYTES).await?;
        if !is_json {
            // A page of a dashboard, for instance, which answers whatever is asked.
            let what = String::from_utf8_lossy(bytes.get(..80).unwrap_or(&bytes)).into_owned();
            return Err(RemoteError::Foreign { server: self.place(), status, what: crate::text::inert(&what) });
        }
        read(&bytes, &path)
    }

    fn request(&self, method: Method, path: Segments<'_>, query: Query<'_>) -> (RequestBuilder, String) {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let shown = url.path().to_owned();
        let request = self.http.request(method, url);
        (if query.is_empty() { request } else { request.query(query) }, shown)
    }

    /// Sends a request and waits for the head of its answer, which must be a success.
    async fn answer(&self, request: RequestBuilder, path: &str) -> Result<Response, RemoteError> {
        let server = || self.place();
        let response = match tokio::time::timeout(ANSWER, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(source)) => {
                return Err(RemoteError::Unreachable { server: server(), source: source.without_url() });
            }
            Err(_) => return Err(RemoteError::Late { server: server(), seconds: ANSWER.as_secs() }),
        };
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let location = response.headers().get("location").and_then(|place| place.to_str().ok()).map(str::to_owned);
        if let Some(place) = location.filter(|_| status.is_redirection()) {
            let what = format!("go to {}", crate::text::inert(&place));
            return Err(RemoteError::Foreign { server: server(), status: status.as_u16(), what });
        }
        let body = self.whole(response, REFUSAL_BYTES).await.unwrap_or_default();
        Err(RemoteError::of_answer(self.place(), path, status.as_u16(), &body))
    }

    async fn whole(&self, mut response: Response, limit: usize) -> Result<Bytes, RemoteError> {
        let path = response.url().path().to_owned();
        let mut bytes = BytesMut::new();
        while let Some(chunk) = self.chunk(&mut response, CHUNK).await? {
            if bytes.len().saturating_add(chunk.len()) > limit {
                return Err(RemoteError::Unreadable { path, reason: format!("it is larger than {limit} bytes") });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }

    /// The next part of an answer.
    pub(crate) async fn chunk(&self, response: &mut Response, wait: Duration) -> Result<Option<Bytes>, RemoteError> {
        let server = || self.place();
        match tokio::time::timeout(wait, response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(source)) => Err(RemoteError::Unreachable { server: server(), source: source.without_url() }),
            Err(_) => Err(RemoteError::Late { server: server(), seconds: wait.as_secs() }),
        }
    }
}

fn content_type(response: &Response) -> Option<&str> {
    response.headers().get(reqwest::header::CONTENT_TYPE)?.to_str().ok()
}

fn read<T: DeserializeOwned>(bytes: &Bytes, path: &str) -> Result<T, RemoteError> {
    serde_json::from_slice(bytes)
        .map_err(|error| RemoteError::Unreadable { path: path.to_owned(), reason: error.to_string() })
}

fn parse(text: &str, named: Named) -> Result<Url, Refusal> {
    let flag = named.url();
    let refuse = |reason: &str| {
        Refusal::new(format!("{flag} {} is no URL of a server: {reason}", crate::text::inert(text)))
            .with_hint("write http://host:port or https://host/prefix")
    };
    let url = Url::parse(text).map_err(|error| refuse(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse("it has to begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // Not shown again.
        return Err(
            Refusal::new(format!("{flag} must not hold a user's name or password")).with_hint(show_a_token(named))
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("a query or fragment has no place in it"));
    }
    Ok(url)
}

/// How a token is shown.
pub(super) fn show_a_token(named: Named) -> String {
    format!("show a token: in {}, or in a file that {} names", named.token(), named.token_file())
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn certificates(file: &Path, named: Named) -> Result<Vec<Certificate>, Refusal> {
    let failed = |reason: String| Refusal::new(format!("cannot use {} {}: {reason}", named.ca_file(), file.display()));
    let pem = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| failed(error.to_string()))?;
    if certificates.is_empty() {
        return Err(failed("it holds no certificate (PEM)".to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(base: &str, path: &[&str]) -> String {
        let client = Client::new(base, Named::Server, None, Trust::System).expect("a client");
        let (request, _) = client.request(Method::GET, path, &[("a", "b c")]);
        request.build().expect("a request").url().to_string()
    }

    #[test]
    fn a_path_in_front_of_the_api_stays() {
        assert_eq!(url("http://h:1", &["apis", "x"]), "http://h:1/apis/x?a=b+c");
        assert_eq!(url("https://h/pipeline/", &["apis", "x:y"]), "https://h/pipeline/apis/x:y?a=b+c");
        assert_eq!(url("https://h/a/b", &["runs", "loop[1]/t ä"]), "https://h/a/b/runs/loop[1]%2Ft%20%C3%A4?a=b+c");
    }

    #[test]
    fn what_is_no_url_of_a_server_is_refused() {
        for text in
            ["", "h:1", "localhost:8888", "ftp://h", "http://", "http://h?x=1", "http://h#x", "http://a:secret@h"]
        {
            let refusal = parse(text, Named::Server).unwrap_err().to_string();
            assert!(refusal.contains("--server") && !refusal.contains("secret"), "{refusal}");
        }
    }
}
