//! What an issuer publishes: where its keys are, and the keys. Every request has an end in time and size, and none is
//! redirected.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Url};
use rustls::crypto::{CryptoProvider, ring};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::OidcError;

/// How long one request may take.
const WAIT: Duration = Duration::from_secs(5);
/// Largest answer.
const LARGEST: usize = 512 << 10;
/// Where an issuer says where its keys are.
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Fetches from one issuer.
#[derive(Debug)]
pub(super) struct Fetch {
    client: Client,
    issuer: String,
}

#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

impl Fetch {
    pub(super) fn new(issuer: &str, authorities: Option<&[u8]>) -> Result<Self, OidcError> {
        let refused = || OidcError::Issuer(issuer.to_owned());
        let url = Url::parse(issuer).map_err(|_| refused())?;
        if !is_safe(&url) || url.query().is_some() || url.fragment().is_some() {
            return Err(refused());
        }
        if CryptoProvider::get_default().is_none() {
            // Whoever is faster installs the same.
            let _ = ring::default_provider().install_default();
        }
        let failed = |error: reqwest::Error| OidcError::Client(penstock_runtime::logs::chain(&error));
        let mut builder = Client::builder().redirect(Policy::none()).timeout(WAIT).connect_timeout(WAIT).no_proxy();
        if let Some(pem) = authorities {
            builder = builder.tls_certs_merge(Certificate::from_pem_bundle(pem).map_err(failed)?);
        }
        Ok(Self { client: builder.build().map_err(failed)?, issuer: issuer.to_owned() })
    }

    /// The keys that the issuer publishes now.
    pub(super) async fn keys(&self) -> Result<Vec<Value>, String> {
        let discovery = format!("{}{DISCOVERY}", self.issuer.trim_end_matches('/'));
        let Configuration { issuer, jwks_uri } = self.get(&discovery).await?;
        if issuer != self.issuer {
            return Err(format!("{discovery} is of the issuer {issuer:?} instead of {:?}", self.issuer));
        }
        let place = Url::parse(&jwks_uri).ok().filter(is_safe);
        let place = place.ok_or_else(|| format!("{discovery} names keys at {jwks_uri:?}, which is no https URL"))?;
        let Published { keys } = self.get(place.as_str()).await?;
        Ok(keys)
    }

    async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, String> {
        let failed = |error: reqwest::Error| format!("cannot fetch {url}: {}", penstock_runtime::logs::chain(&error));
        let mut answer = self.client.get(url).send().await.map_err(failed)?;
        if !answer.status().is_success() {
            return Err(format!("{url} answers {}", answer.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(format!("{url} answers with more than {LARGEST} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| format!("{url} answers with something else: {error}"))
    }
}

/// Whether nobody on the way can answer instead.
fn is_safe(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    url.scheme() == "https" || (url.scheme() == "http" && is_here)
}
