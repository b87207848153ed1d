//! The Secret with authority and leaf. Replicas share it: who writes names the version that it has read, so one of two
//! that write at once is refused and reads again.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::{Api, Client};
use penstock_spec::keys;
use tokio::time::timeout;
use tracing::warn;

use super::material::{Authority, Facts, Leaf};
use super::plan::Stored;

/// The longest that a request to Kubernetes' API may take.
pub(super) const REQUEST_LIMIT: Duration = Duration::from_secs(10);

const CURRENT: (&str, &str) = ("ca.crt", "ca.key");
const NEXT: (&str, &str) = ("next-ca.crt", "next-ca.key");
const PREVIOUS: &str = "previous-ca.crt";
const LEAF: (&str, &str) = ("tls.crt", "tls.key");

/// What to do when the Secret is gone and cannot be made anew.
const REMEDY: &str = "it is part of the installation, where Penstock may write it and not create any: apply the manifests \
                      again, kubectl apply -k";

/// A request to Kubernetes' API that did not work.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {object}")]
pub(super) struct RequestError {
    pub(super) action: &'static str,
    pub(super) object: String,
    #[source]
    pub(super) source: RequestFailure,
}

/// Why.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestFailure {
    #[error(transparent)]
    Api(#[from] Box<kube::Error>),
    #[error("no answer within {} s", REQUEST_LIMIT.as_secs())]
    TooSlow,
}

/// Waits for an answer for a bounded time.
pub(super) async fn request<T>(
    action: &'static str,
    object: impl FnOnce() -> String,
    asking: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, RequestError> {
    let source = match timeout(REQUEST_LIMIT, asking).await {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(error)) => RequestFailure::Api(Box::new(error)),
        Err(_) => RequestFailure::TooSlow,
    };
    Err(RequestError { action, object: object(), source })
}

impl RequestError {
    /// Whether somebody else was quicker.
    pub(super) fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    fn code(&self) -> Option<u16> {
        match &self.source {
            RequestFailure::Api(error) => match &**error {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            RequestFailure::TooSlow => None,
        }
    }
}

/// The Secret, as it was read.
#[derive(Debug)]
pub(super) struct Read {
    /// `None` when there is none.
    secret: Option<Box<Secret>>,
    pub(super) stored: Stored,
}

/// Where it is.
#[derive(Debug)]
pub(super) struct Store {
    api: Api<Secret>,
    namespace: String,
    name: String,
}

impl Store {
    pub(super) fn new(client: Client, namespace: &str, name: &str) -> Store {
        Store { api: Api::namespaced(client, namespace), namespace: namespace.to_owned(), name: name.to_owned() }
    }

    pub(super) async fn read(&self) -> Result<Read, RequestError> {
        let secret = request("read", || self.shown(), self.api.get_opt(&self.name)).await?;
        let stored = secret.as_ref().map(|secret| self.stored(secret)).unwrap_or_default();
        Ok(Read { secret: secret.map(Box::new), stored })
    }

    /// Writes in place of what was read. A conflict means that somebody else has written since.
    pub(super) async fn write(&self, read: Read, stored: &Stored) -> Result<(), RequestError> {
        let is_new = read.secret.is_none();
        let mut secret = read.secret.map(|secret| *secret).unwrap_or_default();
        secret.metadata.name = Some(self.name.clone());
        secret.data = Some(data(stored));
        let labels = secret.metadata.labels.get_or_insert_default();
        labels.insert(keys::LABEL_MANAGED_BY.to_owned(), keys::MANAGED_BY.to_owned());
        // The version that was read is still in the object.
        let parameters = PostParams::default();
        if is_new {
            let object = || format!("{} ({REMEDY})", self.shown());
            request("create", object, self.api.create(&parameters, &secret)).await?;
        } else {
            request("replace", || self.shown(), self.api.replace(&self.name, &parameters, &secret)).await?;
        }
        Ok(())
    }

    fn stored(&self, secret: &Secret) -> Stored {
        let text = |key: &str| {
            let bytes = secret.data.as_ref()?.get(key)?;
            String::from_utf8(bytes.0.clone()).ok().filter(|text| !text.is_empty())
        };
        let pair = |(certificate, key): (&str, &str)| Some((text(certificate)?, text(key)?));
        let known = |key: &str, error: &dyn std::fmt::Display| {
            warn!(secret = self.name, key, %error, "a certificate in the Secret cannot be used; it is replaced");
        };
        let authority = |keys: (&str, &str)| {
            let (certificate, key) = pair(keys)?;
            Authority::read(&certificate, &key).inspect_err(|error| known(keys.0, error)).ok()
        };
        let leaf = pair(LEAF).and_then(|(certificate, key)| {
            Leaf::read(&certificate, &key).inspect_err(|error| known(LEAF.0, error)).ok()
        });
        let previous = text(PREVIOUS).and_then(|certificate| {
            let facts = Facts::read(&certificate).inspect_err(|error| known(PREVIOUS, error)).ok()?;
            Some((certificate, facts.validity))
        });
        Stored { current: authority(CURRENT), next: authority(NEXT), previous, leaf }
    }

    fn shown(&self) -> String {
        format!("Secret {}/{}", self.namespace, self.name)
    }
}

fn data(stored: &Stored) -> BTreeMap<String, ByteString> {
    let mut data = BTreeMap::new();
    let mut put = |key: &str, text: &str| data.insert(key.to_owned(), ByteString(text.as_bytes().to_vec()));
    for ((certificate, key), authority) in [(CURRENT, &stored.current), (NEXT, &stored.next)] {
        if let Some(authority) = authority {
            put(certificate, &authority.certificate);
            put(key, &authority.key);
        }
    }
    if let Some((certificate, _)) = &stored.previous {
        put(PREVIOUS, certificate);
    }
    if let Some(leaf) = &stored.leaf {
        put(LEAF.0, &leaf.certificate);
        put(LEAF.1, &leaf.key);
    }
    data
}
