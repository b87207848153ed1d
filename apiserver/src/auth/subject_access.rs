//! What callers may do by the roles of a cluster.

use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Client;
use kube::api::{Api, PostParams};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::memory::{ENTRIES, Key, Memory, key};
use super::token_review::{ClientOf, REVIEW_WAIT, REVIEWS, silent, why};
use super::{Action, Authorizer, Caller, Decision, ReviewError, VERSION};

/// How long somebody may without being asked about again, and how long not.
const ALLOWED: Duration = Duration::from_secs(15);
const DENIED: Duration = Duration::from_secs(5);

/// Asks the API server of a cluster.
#[derive(Debug)]
pub struct SubjectAccessReviews {
    client: ClientOf,
    known: Memory<Decision>,
    room: Semaphore,
}

impl SubjectAccessReviews {
    /// Decides as that cluster's roles do.
    pub fn new(client: Client) -> Self {
        Self { client: ClientOf(client), known: Memory::new(ENTRIES), room: Semaphore::new(REVIEWS) }
    }

    async fn review(&self, caller: &Caller, action: &Action) -> Result<Decision, ReviewError> {
        let reviews: Api<SubjectAccessReview> = Api::all(self.client.0.clone());
        let review = SubjectAccessReview { spec: spec(caller, action), ..SubjectAccessReview::default() };
        let asked = async {
            let _room = self.room.acquire().await;
            reviews.create(&PostParams::default(), &review).await
        };
        let status = match timeout(REVIEW_WAIT, asked).await {
            Ok(Ok(answer)) => answer.status.unwrap_or_default(),
            Ok(Err(error)) => return Err(ReviewError(why(&error, "subjectaccessreviews.authorization.k8s.io"))),
            Err(_) => return Err(ReviewError(silent("what the caller may do"))),
        };
        if status.allowed && status.denied != Some(true) {
            return Ok(Decision::Allowed);
        }
        Ok(Decision::Denied(status.reason.or(status.evaluation_error).unwrap_or_default()))
    }
}

fn spec(caller: &Caller, action: &Action) -> SubjectAccessReviewSpec {
    SubjectAccessReviewSpec {
        user: Some(caller.user.clone()),
        groups: Some(caller.groups.clone()),
        resource_attributes: Some(ResourceAttributes {
            namespace: Some(action.namespace.clone()),
            group: Some(action.group.to_owned()),
            version: Some(VERSION.to_owned()),
            resource: Some(action.resource.to_owned()),
            verb: Some(action.verb.to_owned()),
            ..ResourceAttributes::default()
        }),
        ..SubjectAccessReviewSpec::default()
    }
}

fn key_of(caller: &Caller, action: &Action) -> Key {
    let what = [action.namespace.as_str(), action.group, action.resource, action.verb, caller.user.as_str()];
    key(what.into_iter().chain(caller.groups.iter().map(String::as_str)))
}

#[async_trait]
impl Authorizer for SubjectAccessReviews {
    async fn decide(&self, caller: &Caller, action: &Action) -> Result<Decision, ReviewError> {
        let key = key_of(caller, action);
        if let Some(known) = self.known.get(&key) {
            return Ok(known);
        }
        let decision = self.review(caller, action).await?;
        let time = if decision == Decision::Allowed { ALLOWED } else { DENIED };
        self.known.put(key, decision.clone(), time);
        Ok(decision)
    }
}
