//! One S3 endpoint with its credentials: settings, and the SDK client made from them.

use std::{
    fmt::{self, Debug},
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use aws_config::{
    BehaviorVersion, Region,
    default_provider::{credentials::DefaultCredentialsChain, region},
    meta::{credentials::CredentialsProviderChain, region::ProvideRegion},
    profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig,
    retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_s3::{
    Client,
    config::{
        Credentials, RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient,
        StalledStreamProtectionConfig,
    },
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use tokio::sync::Mutex;

use super::keys::{KeyFiles, KeyStanding, KeyWitness, Keys};
use crate::content::{FileDigest, digest_of};
use crate::error::{ErrorKind, StoreError};
use crate::link::LinkEndpoint;

/// A region for servers that have none.
const DEFAULT_REGION: &str = "us-east-1";
/// The most bytes of a file of profiles that are looked at.
const MAX_PROFILE: u64 = 1024 * 1024;
/// A certificate file above this is not one.
const MAX_CA_BYTES: u64 = 4 * 1024 * 1024;

/// Text that must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// What it is, for a signature.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Who we are to the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum S3Credentials {
    /// The SDK's standard chain: environment, profile files, web identity, container and instance metadata.
    #[default]
    Chain,
    /// Nobody: requests are not signed.
    Anonymous,
    /// A fixed pair of keys.
    Static {
        /// Access key.
        access_key_id: String,
        /// Secret key.
        secret_access_key: Secret,
        /// Token of temporary credentials.
        session_token: Option<Secret>,
    },
    /// A pair of keys in files that somebody may replace at any time, as the kubelet does with a Secret that changed.
    Files(KeyFiles),
    /// A file in the format of AWS's `credentials`, which may be replaced as well, or come later. Where it says nothing,
    /// the standard chain counts.
    Profile(PathBuf),
}

/// Where a store is and how to talk to it.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// `http://` or `https://` URL of the server; AWS by region when absent.
    pub endpoint: Option<String>,
    /// Region; the standard chain decides when absent, or `us-east-1` where an endpoint is set.
    pub region: Option<String>,
    /// Whether the bucket stands in the path (`https://host/bucket`) rather than in the host name; yes by default where
    /// an endpoint is set.
    pub path_style: Option<bool>,
    /// PEM file of authorities to trust in addition to the system's.
    pub ca_file: Option<PathBuf>,
    /// Who we are.
    pub credentials: S3Credentials,
    /// Tries of one request by the SDK, in all.
    pub request_tries: u32,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for the first byte of an answer.
    pub read_timeout: Duration,
    /// Longest time for one try of a request until its answer begins; bounds the upload of one part.
    pub attempt_timeout: Duration,
    /// How long a body may stand still in either direction.
    pub stall_timeout: Duration,
}

impl Default for S3Settings {
    fn default() -> Self {
        S3Settings {
            endpoint: None,
            region: None,
            path_style: None,
            ca_file: None,
            credentials: S3Credentials::Chain,
            request_tries: 3,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(60),
            attempt_timeout: Duration::from_secs(180),
            stall_timeout: Duration::from_secs(20),
        }
    }
}

/// An endpoint with its credentials; the client is made at the first use, and anew when its keys have changed (F-26).
pub struct S3Connection {
    settings: S3Settings,
    http: SharedHttpClient,
    client: Mutex<Option<(Option<Shown>, Client)>>,
    /// How the store takes keys that may change.
    standing: Option<Arc<KeyStanding>>,
}

/// What the files of keys held when a client was made.
#[derive(Debug, PartialEq, Eq)]
enum Shown {
    Keys(Keys),
    Profile(FileDigest),
}

impl Debug for S3Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Connection").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl S3Connection {
    /// Checks the settings and reads the files of certificates and keys.
    pub fn new(settings: S3Settings) -> Result<S3Connection, StoreError> {
        if let Some(endpoint) = &settings.endpoint {
            check_endpoint(endpoint).map_err(|reason| {
                // The endpoint may hold a password by mistake, so it is not repeated.
                StoreError::new(ErrorKind::Invalid, "use", "the S3 endpoint", reason)
            })?;
        }
        let http = http_client(&settings)?;
        let standing = match &settings.credentials {
            S3Credentials::Files(files) => {
                files.read().map_err(|error| StoreError::io("read", files.to_string(), error))?;
                Some(Arc::default())
            }
            S3Credentials::Profile(_) => Some(Arc::default()),
            _ => None,
        };
        Ok(S3Connection { settings, http, client: Mutex::default(), standing })
    }

    /// For messages.
    pub(super) fn endpoint_name(&self) -> &str {
        self.settings.endpoint.as_deref().unwrap_or("AWS")
    }

    /// Who we are.
    pub(super) fn credentials(&self) -> &S3Credentials {
        &self.settings.credentials
    }

    /// How the store takes our keys, where they may change.
    pub(super) fn standing(&self) -> Option<&Arc<KeyStanding>> {
        self.standing.as_ref()
    }

    /// The client, with the keys as they are now.
    pub(super) async fn client(&self) -> Client {
        let mut made = self.client.lock().await;
        let shown = match &self.settings.credentials {
            // Files that are away for a moment change nothing.
            S3Credentials::Files(files) => files.read().ok().map(Shown::Keys),
            S3Credentials::Profile(file) => read_profile(file).ok().map(|text| Shown::Profile(digest_of(&text))),
            _ => None,
        };
        match &*made {
            Some((with, client)) if shown.is_none() || *with == shown => return client.clone(),
            Some(_) => tracing::info!(endpoint = self.endpoint_name(), "the keys of the store have changed"),
            None => {}
        }
        let client = Box::pin(self.build_client(shown.as_ref())).await;
        made.insert((shown, client)).1.clone()
    }

    /// A client with which links are made for those who reach the store elsewhere. It is asked nothing.
    pub(super) async fn client_at(&self, endpoint: &LinkEndpoint) -> Client {
        let config = self.client().await.config().to_builder().endpoint_url(endpoint.as_str()).build();
        Client::from_conf(config)
    }

    /// Creates a bucket, for tests.
    #[cfg(feature = "testing")]
    pub(crate) async fn create_bucket(&self, name: &str) -> Result<(), StoreError> {
        let attempt = super::Attempt { operation: "create the bucket", object: name.to_owned(), standing: None };
        let sent = self.client().await.create_bucket().bucket(name).send().await;
        sent.map(drop).map_err(|error| attempt.failure(&error))
    }

    async fn build_client(&self, shown: Option<&Shown>) -> Client {
        let settings = &self.settings;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(settings.connect_timeout)
            .read_timeout(settings.read_timeout)
            .operation_attempt_timeout(settings.attempt_timeout)
            .operation_timeout(settings.attempt_timeout.saturating_mul(settings.request_tries.max(1)))
            .build();
        let stalls = StalledStreamProtectionConfig::enabled().grace_period(settings.stall_timeout).build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(self.http.clone())
            .retry_config(RetryConfig::standard().with_max_attempts(settings.request_tries.max(1)))
            .timeout_config(timeouts)
            .stalled_stream_protection(stalls)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(region) = self.own_region() {
            loader = loader.region(region);
        }
        loader = match &settings.credentials {
            S3Credentials::Chain => loader,
            S3Credentials::Anonymous => loader.no_credentials(),
            S3Credentials::Static { access_key_id, secret_access_key, session_token } => {
                let mut credentials = Credentials::builder()
                    .access_key_id(access_key_id)
                    .secret_access_key(&secret_access_key.0)
                    .provider_name("penstock-settings");
                credentials.set_session_token(session_token.as_ref().map(|token| token.0.clone()));
                loader.credentials_provider(credentials.build())
            }
            S3Credentials::Files(_) => match shown {
                Some(Shown::Keys(keys)) => loader.credentials_provider(keys.to_credentials()),
                // They were there when the connection was made. Requests are refused until they are back.
                _ => loader.no_credentials(),
            },
            S3Credentials::Profile(file) => loader.credentials_provider(self.profile_first(file).await),
        };
        let shared = loader.load().await;
        let path_style = settings.path_style.unwrap_or(settings.endpoint.is_some());
        let mut config = aws_sdk_s3::config::Builder::from(&shared).force_path_style(path_style);
        if let Some(endpoint) = &settings.endpoint {
            config = config.endpoint_url(endpoint);
        }
        if shared.region().is_none() {
            config = config.region(Region::new(DEFAULT_REGION));
        }
        if let Some(standing) = &self.standing {
            config = config.interceptor(KeyWitness(Arc::clone(standing)));
        }
        Client::from_conf(config.build())
    }

    /// The region that is settled without asking the standard chain.
    fn own_region(&self) -> Option<Region> {
        match (&self.settings.region, &self.settings.endpoint) {
            (Some(region), _) => Some(Region::new(region.clone())),
            // Asking the machine's metadata service for a region would only cost time.
            (None, Some(_)) => Some(Region::new(DEFAULT_REGION)),
            (None, None) => None,
        }
    }

    /// What the file says, and where it says nothing, the standard chain. A profile may ask a service for its keys.
    async fn profile_first(&self, file: &Path) -> CredentialsProviderChain {
        let region = match self.own_region() {
            Some(region) => Some(region),
            None => region::default_provider().region().await,
        };
        let services = ProviderConfig::default().with_http_client(self.http.clone()).with_region(region);
        let files = EnvConfigFiles::builder()
            .include_default_config_file(true)
            .with_file(EnvConfigFileKind::Credentials, file)
            .build();
        let profile = ProfileFileCredentialsProvider::builder().configure(&services).profile_files(files).build();
        let chain = DefaultCredentialsChain::builder().configure(services).build().await;
        CredentialsProviderChain::first_try("CredentialsFile", profile).or_else("Chain", chain)
    }
}

fn read_profile(file: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    fs::File::open(file)?.take(MAX_PROFILE).read_to_end(&mut text)?;
    Ok(text)
}

pub(crate) fn check_endpoint(endpoint: &str) -> Result<(), &'static str> {
    let rest = endpoint
        .strip_prefix("http://")
        .or_else(|| endpoint.strip_prefix("https://"))
        .ok_or("it must begin with http:// or https://")?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() || host.starts_with(':') {
        return Err("it names no host");
    }
    if host.contains('@') {
        return Err("it must not hold a user or password; give keys by their own settings");
    }
    if rest.contains(['?', '#']) || rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("it must be a plain URL without query, fragment or blanks");
    }
    Ok(())
}

/// HTTP on rustls with ring; plain `http://` endpoints pass through the same client.
fn http_client(settings: &S3Settings) -> Result<SharedHttpClient, StoreError> {
    let mut trust = TrustStore::default();
    if let Some(path) = &settings.ca_file {
        trust = trust.with_pem_certificate(read_certificates(path)?);
    }
    let context = TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .map_err(|error| StoreError::new(ErrorKind::Invalid, "use", "the trusted certificates", error.to_string()))?;
    Ok(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context).build_https())
}

fn read_certificates(path: &PathBuf) -> Result<Vec<u8>, StoreError> {
    let object = || format!("the S3 certificate file {path:?}");
    let size = fs::metadata(path).map_err(|error| StoreError::io("read", object(), error))?.len();
    if size > MAX_CA_BYTES {
        return Err(StoreError::new(ErrorKind::Invalid, "read", object(), format!("it has {size} bytes")));
    }
    let pem = fs::read(path).map_err(|error| StoreError::io("read", object(), error))?;
    // The TLS library takes certificates that it cannot read for a bug of ours, and panics.
    let text = String::from_utf8_lossy(&pem);
    if !text.contains("-----BEGIN CERTIFICATE-----") || !text.contains("-----END CERTIFICATE-----") {
        let reason = "it holds no certificate in PEM form";
        return Err(StoreError::new(ErrorKind::Invalid, "read", object(), reason));
    }
    Ok(pem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t07_secrets_are_not_printed() {
        let settings = S3Settings {
            credentials: S3Credentials::Static {
                access_key_id: "AKIA".into(),
                secret_access_key: Secret::new("hidden-key"),
                session_token: Some(Secret::new("hidden-token")),
            },
            ..S3Settings::default()
        };
        let connection = S3Connection::new(settings).expect("good settings");
        assert!(!format!("{connection:?}").contains("hidden"));
    }

    #[test]
    fn t08_endpoint_with_password_is_refused_without_repeating_it() {
        for endpoint in ["http://user:hidden@host", "host:9000", "ftp://host", "http://", "http://:80", "http://h?x"] {
            let settings = S3Settings { endpoint: Some(endpoint.into()), ..S3Settings::default() };
            let error = S3Connection::new(settings).expect_err(endpoint).to_string();
            assert!(!error.contains("hidden"), "{error}");
        }
    }

    #[test]
    fn certificate_file_that_is_missing_or_not_pem_is_named() {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        for path in [file.path().to_owned(), PathBuf::from("/nonexistent/ca.pem")] {
            let settings = S3Settings { ca_file: Some(path.clone()), ..S3Settings::default() };
            let error = S3Connection::new(settings).expect_err("not a certificate").to_string();
            assert!(error.contains(&format!("{path:?}")), "{error}");
        }
    }
}
