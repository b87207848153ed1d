//! The keys of an issuer, kept for a while. They are fetched again when they are old, and when a token names one that is
//! not among them, which is how issuers change theirs; but not more often than a pace allows, whatever tokens name.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Header};
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::fetch::Fetch;
use crate::auth::IdentityError;

/// Most keys that are kept of an issuer.
const MOST: usize = 64;

/// When keys are fetched again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// After this time.
    pub(super) refresh: Duration,
    /// They no longer count after this time, if they could not be fetched again.
    pub(super) expire: Duration,
    /// Not before this time has passed.
    pub(super) rest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { refresh: Duration::from_secs(300), expire: Duration::from_secs(3600), rest: Duration::from_secs(10) }
    }
}

/// A key, and the algorithms that it is for.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

/// The keys of one fetch.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    fetched_at: Instant,
}

/// The keys of an issuer.
#[derive(Debug)]
pub(super) struct Keys {
    fetch: Fetch,
    pace: Pace,
    known: RwLock<Option<Arc<KeySet>>>,
    /// Of the last attempt to fetch: when it was, and why it failed.
    last: Mutex<Option<(Instant, Option<String>)>>,
}

impl Keys {
    pub(super) fn new(fetch: Fetch, pace: Pace) -> Self {
        Self { fetch, pace, known: RwLock::new(None), last: Mutex::new(None) }
    }

    /// Keys among which the one of this id is, if the issuer has it.
    pub(super) async fn of(&self, id: Option<&str>) -> Result<Arc<KeySet>, IdentityError> {
        let known = self.current();
        let is_enough = known.as_ref().is_some_and(|known| known.has(id));
        let is_fresh = known.as_ref().is_some_and(|known| known.fetched_at.elapsed() < self.pace.refresh);
        match known {
            Some(known) if is_enough && is_fresh => return Ok(known),
            // One request looks for newer ones, the others go on with those that there are.
            Some(known) if is_enough => {
                let Ok(last) = self.last.try_lock() else { return Ok(known) };
                self.refresh(last).await;
            }
            _ => self.refresh(self.last.lock().await).await,
        }
        match self.current() {
            Some(known) => Ok(known),
            None => {
                let last = self.last.lock().await;
                let reason = last.as_ref().and_then(|(_, reason)| reason.as_deref()).unwrap_or("they are too old");
                Err(IdentityError::Unavailable(format!("there are no keys of the issuer: {reason}")))
            }
        }
    }

    /// What counts now.
    fn current(&self) -> Option<Arc<KeySet>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|known| known.fetched_at.elapsed() < self.pace.expire).map(Arc::clone)
    }

    async fn refresh(&self, mut last: MutexGuard<'_, Option<(Instant, Option<String>)>>) {
        if last.as_ref().is_some_and(|(at, _)| at.elapsed() < self.pace.rest) {
            return;
        }
        let outcome = self.fetch.keys().await;
        let failure = match outcome {
            Ok(published) => {
                let keys = published.into_iter().take(MOST).filter_map(read).collect();
                let set = Arc::new(KeySet { keys, fetched_at: Instant::now() });
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(set);
                None
            }
            Err(reason) => {
                tracing::warn!(reason, "the keys of the issuer of tokens cannot be fetched");
                Some(reason)
            }
        };
        *last = Some((Instant::now(), failure));
    }
}

impl KeySet {
    fn has(&self, id: Option<&str>) -> bool {
        id.is_none() || self.keys.iter().any(|key| key.id.as_deref() == id)
    }

    /// The keys that a token may be signed with.
    pub(super) fn fitting(&self, header: &Header) -> impl Iterator<Item = &Key> {
        let fits = move |key: &&Key| {
            let is_named = header.kid.is_none() || key.id == header.kid;
            is_named && key.algorithms.contains(&header.alg)
        };
        self.keys.iter().filter(fits)
    }
}

/// A key for signatures; none of another kind.
fn read(published: Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(published).ok()?;
    if jwk.common.public_key_use.as_ref().is_some_and(|meant| *meant != PublicKeyUse::Signature) {
        return None;
    }
    let mut algorithms = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => AlgorithmFamily::Rsa.algorithms().to_vec(),
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => vec![Algorithm::ES256],
            EllipticCurve::P384 => vec![Algorithm::ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => vec![Algorithm::EdDSA],
        // A secret is none any more once it is published.
        _ => return None,
    };
    if let Some(named) = jwk.common.key_algorithm {
        algorithms.retain(|algorithm| format!("{algorithm:?}") == named.to_string());
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    (!algorithms.is_empty()).then_some(Key { id: jwk.common.key_id, algorithms, key })
}
