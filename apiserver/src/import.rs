//! Pipelines that are fetched from URLs. Off unless it is said from where (T-09): the host must be one that is allowed, the
//! address that is connected to is the one that was looked at, each redirection is looked at anew, and time and size are
//! bounded. Nothing is sent along.

mod rules;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use penstock_runtime::logs::chain;
use penstock_runtime::tls;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, Response, StatusCode, Url, header, redirect};
use tokio::net::lookup_host;
use tokio::time::timeout;

use rules::ImportRules;
pub use rules::{ImportRule, ImportRuleError};

/// How long a fetch may take in all.
const DEADLINE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(10);
const REDIRECTIONS: usize = 5;
const LONGEST_URL: usize = 8 << 10;

/// Fetches pipelines from where it may.
#[derive(Debug, Clone)]
pub struct Importer {
    client: Client,
    rules: Arc<ImportRules>,
}

/// Importing cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ImporterError {
    /// There is no certificate among what was to be trusted.
    #[error("there is no certificate (PEM) among the authorities to trust for imports by URL")]
    NoAuthority,
    /// TLS, or the certificates of authorities.
    #[error("cannot set up the client that imports by URL")]
    Client(#[source] reqwest::Error),
}

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fetched {
    /// The last part of the URL's path.
    pub(crate) file_name: String,
    pub(crate) content: Bytes,
}

/// Why nothing was fetched. The text is for whoever gave the URL, and says nothing of what is inside of the network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct FetchError(String);

impl Importer {
    /// One that fetches from where the rules say. Without any it fetches nothing.
    pub fn new(rules: Vec<ImportRule>) -> Result<Self, ImporterError> {
        Self::trusting(rules, None)
    }

    /// The same where servers of one's own are: `authorities` (PEM) are trusted beside those of the system.
    pub fn trusting(rules: Vec<ImportRule>, authorities: Option<&[u8]>) -> Result<Self, ImporterError> {
        let rules = Arc::new(ImportRules::new(rules));
        let resolver = Arc::new(CheckedResolver { rules: Arc::clone(&rules), lookup: system_lookup });
        Self::with_resolver(rules, resolver, authorities)
    }

    fn with_resolver<R: Resolve + 'static>(
        rules: Arc<ImportRules>,
        resolver: Arc<R>,
        authorities: Option<&[u8]>,
    ) -> Result<Self, ImporterError> {
        // The house has one provider; whether the process has set it already makes no difference.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder();
        if let Some(authorities) = authorities {
            let authorities = Certificate::from_pem_bundle(authorities).map_err(ImporterError::Client)?;
            if authorities.is_empty() {
                return Err(ImporterError::NoAuthority);
            }
            builder = builder.tls_certs_merge(authorities);
        }
        let client = builder
            .dns_resolver(resolver)
            // Redirections are followed here, one by one.
            .redirect(redirect::Policy::none())
            // A proxy would look names up itself.
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT)
            .timeout(DEADLINE)
            .pool_max_idle_per_host(0)
            .user_agent(concat!("penstock/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { client: client.map_err(ImporterError::Client)?, rules })
    }

    /// Fetches a file of at most `limit` bytes.
    pub(crate) async fn fetch(&self, url: &str, limit: usize) -> Result<Fetched, FetchError> {
        let shown: String = url.chars().take(200).collect();
        let failed = |text: String| FetchError(format!("Failed to fetch pipeline spec with url: {shown}. {text}"));
        let checked = self.check(url, None).map_err(failed)?;
        let file_name = checked.path_segments().and_then(Iterator::last).unwrap_or_default();
        let file_name =
            percent_encoding::percent_decode_str(file_name).decode_utf8_lossy().replace(['/', '\\', '\0'], "");
        let fetching = async {
            let response = self.follow(checked).await?;
            match response.status() {
                StatusCode::OK => read(response, limit).await,
                status => Err(format!("Request returned {status}")),
            }
        };
        match timeout(DEADLINE, fetching).await {
            Ok(Ok(content)) => Ok(Fetched { file_name, content }),
            Ok(Err(text)) => Err(failed(text)),
            Err(_) => Err(failed(format!("It did not come within {} s", DEADLINE.as_secs()))),
        }
    }

    /// The first answer that is no redirection.
    async fn follow(&self, mut url: Url) -> Result<Response, String> {
        for _ in 0..=REDIRECTIONS {
            let response = self.client.get(url.clone()).send().await.map_err(|error| told(&error))?;
            let is_moved = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            let Some(place) = response.headers().get(header::LOCATION).filter(|_| is_moved) else {
                return Ok(response);
            };
            let place = place.to_str().map_err(|_| "It redirects to what is no URL".to_owned())?;
            url = self.check(place, Some(&url)).map_err(|text| format!("It redirects elsewhere: {text}"))?;
        }
        Err(format!("It redirects more than {REDIRECTIONS} times"))
    }

    /// A URL that may be fetched; `from` is the one that redirected to it.
    fn check(&self, url: &str, from: Option<&Url>) -> Result<Url, String> {
        if url.len() > LONGEST_URL {
            return Err(format!("The URL has more than {LONGEST_URL} bytes"));
        }
        let parsed = from.map_or_else(|| Url::parse(url), |from| from.join(url));
        let parsed = parsed.map_err(|error| format!("Pipeline URL validation failed: {error}"))?;
        if !matches!(parsed.scheme(), "https" | "http") {
            return Err(format!("Scheme {:?} is not fetched: use https", parsed.scheme()));
        }
        if from.is_some_and(|from| from.scheme() == "https" && parsed.scheme() != "https") {
            return Err("It leaves https".to_owned());
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("It has a user name or a password, which is not sent".to_owned());
        }
        self.rules.check(&parsed)?;
        Ok(parsed)
    }
}

async fn read(mut response: Response, limit: usize) -> Result<Bytes, String> {
    let too_large = || format!("It has more than the {limit} bytes that are allowed");
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let mut content = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| told(&error))? {
        if content.len() + chunk.len() > limit {
            return Err(too_large());
        }
        content.extend_from_slice(&chunk);
    }
    Ok(content.freeze())
}

/// What is told of a failure. Why a name leads nowhere, and where it leads, is not everybody's to know.
fn told(error: &reqwest::Error) -> String {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<NotPublic>() {
            return NotPublic.to_string();
        }
        source = cause.source();
    }
    tracing::info!(error = chain(error), "a pipeline could not be fetched");
    if tls::is_untrusted(error) {
        "Its certificate is not trusted: it is of an authority that neither the system nor --import-ca-file names, of \
         another host, or out of date"
            .to_owned()
    } else if error.is_timeout() {
        "It did not answer in time".to_owned()
    } else if error.is_connect() {
        "Its host cannot be reached".to_owned()
    } else {
        "It cannot be read".to_owned()
    }
}

/// A name leads to addresses that may not be connected to.
#[derive(Debug)]
struct NotPublic;

impl fmt::Display for NotPublic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Its host has no public address, and --import-from names no network that it is in")
    }
}

impl Error for NotPublic {}

type Lookup = fn(String) -> Resolving;

fn system_lookup(name: String) -> Resolving {
    Box::pin(async move { Ok(Box::new(lookup_host((name, 0)).await?.collect::<Vec<_>>().into_iter()) as Addrs) })
}

/// Gives a connection only addresses that may be connected to. They are not looked up again.
struct CheckedResolver {
    rules: Arc<ImportRules>,
    lookup: Lookup,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (rules, found) = (Arc::clone(&self.rules), (self.lookup)(name.as_str().to_owned()));
        Box::pin(async move {
            let allowed: Vec<_> = found.await?.filter(|address| rules.may_connect(address.ip())).collect();
            if allowed.is_empty() {
                return Err(NotPublic.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
