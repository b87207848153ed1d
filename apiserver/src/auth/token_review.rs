//! Bearer tokens of Kubernetes: its API server says whose they are.

use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use kube::api::{Api, PostParams};
use kube::{Client, Error};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::memory::{ENTRIES, Memory, key};
use super::{Authenticator, Caller, IdentityError, Presented, is_name};

/// How long a review may take, waiting for its turn included.
pub(super) const REVIEW_WAIT: Duration = Duration::from_secs(5);
/// Reviews at a time: who sends tokens that nobody knows must not keep the API server busy.
pub(super) const REVIEWS: usize = 32;
/// How long a token counts without being asked about again.
const KNOWN: Duration = Duration::from_secs(60);
/// How long it is refused so.
const REFUSED: Duration = Duration::from_secs(10);

/// Asks the API server of a cluster.
#[derive(Debug)]
pub struct TokenReviews {
    client: ClientOf,
    audience: String,
    known: Memory<Result<Caller, String>>,
    room: Semaphore,
}

/// A connection that does not print what it is made of.
#[derive(Clone)]
pub(super) struct ClientOf(pub(super) Client);

impl std::fmt::Debug for ClientOf {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Client(..)")
    }
}

impl TokenReviews {
    /// Takes tokens that are meant for this audience.
    pub fn new(client: Client, audience: impl Into<String>) -> Self {
        let (known, room) = (Memory::new(ENTRIES), Semaphore::new(REVIEWS));
        Self { client: ClientOf(client), audience: audience.into(), known, room }
    }

    async fn review(&self, token: &str) -> Result<TokenReviewStatus, IdentityError> {
        let reviews: Api<TokenReview> = Api::all(self.client.0.clone());
        let spec = TokenReviewSpec { token: Some(token.to_owned()), audiences: Some(vec![self.audience.clone()]) };
        let review = TokenReview { spec, ..TokenReview::default() };
        let asked = async {
            let _room = self.room.acquire().await;
            reviews.create(&PostParams::default(), &review).await
        };
        match timeout(REVIEW_WAIT, asked).await {
            Ok(Ok(answer)) => Ok(answer.status.unwrap_or_default()),
            Ok(Err(error)) => Err(IdentityError::Unavailable(why(&error, "tokenreviews.authentication.k8s.io"))),
            Err(_) => Err(IdentityError::Unavailable(silent("whose the bearer token is"))),
        }
    }

    fn caller(&self, status: TokenReviewStatus) -> Result<Caller, String> {
        let TokenReviewStatus { audiences, authenticated, error, user } = status;
        if authenticated != Some(true) {
            let reason = error.unwrap_or_else(|| "it is of nobody".to_owned());
            return Err(format!("the bearer token is not valid: {reason}"));
        }
        // A server that does not know of audiences names none.
        if !audiences.is_some_and(|audiences| audiences.contains(&self.audience)) {
            return Err(format!("the bearer token is not meant for the audience {:?}", self.audience));
        }
        let user = user.unwrap_or_default();
        match user.username.filter(|name| is_name(name)) {
            Some(name) => Ok(Caller { user: name, groups: user.groups.unwrap_or_default() }),
            None => Err("the bearer token is of a user without a name".to_owned()),
        }
    }
}

#[async_trait]
impl Authenticator for TokenReviews {
    async fn identify(&self, presented: Presented<'_>) -> Result<Option<Caller>, IdentityError> {
        let Some(token) = presented.bearer()? else { return Ok(None) };
        let key = key([token]);
        if let Some(known) = self.known.get(&key) {
            return known.map(Some).map_err(IdentityError::Refused);
        }
        let found = self.caller(self.review(token).await?);
        self.known.put(key, found.clone(), if found.is_ok() { KNOWN } else { REFUSED });
        found.map(Some).map_err(IdentityError::Refused)
    }
}

/// Why the API server gave no answer.
pub(super) fn why(error: &Error, resource: &str) -> String {
    match error {
        Error::Api(status) if matches!(status.code, 401 | 403) => format!(
            "this server's own account may not create {resource}, which it has to: grant it ({})",
            status.message
        ),
        Error::Api(status) => format!("Kubernetes refuses to review: {}", status.message),
        error => format!("Kubernetes cannot be asked: {error}"),
    }
}

/// The same when there was none in time.
pub(super) fn silent(what: &str) -> String {
    format!("Kubernetes did not say within {} s {what}", REVIEW_WAIT.as_secs())
}
