//! Requests to the API server about volume claims.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DeleteParams, ListParams, PostParams, Preconditions};
use penstock_spec::keys;

use crate::kubernetes::failure::RequestError;
use crate::kubernetes::requests::Requests;

/// Claims listed in one request.
const PAGE: u32 = 500;

/// Volume claims of one namespace.
#[derive(Clone)]
pub(crate) struct ClaimApi {
    claims: Api<PersistentVolumeClaim>,
    requests: Requests,
}

impl ClaimApi {
    pub(crate) fn new(client: kube::Client, namespace: &str, requests: Requests) -> ClaimApi {
        ClaimApi { claims: Api::namespaced(client, namespace), requests }
    }

    pub(crate) async fn create(&self, claim: &PersistentVolumeClaim) -> Result<(), RequestError> {
        let parameters = PostParams { field_manager: Some(keys::MANAGED_BY.to_owned()), ..PostParams::default() };
        self.requests.send("create_claim", self.claims.create(&parameters, claim)).await.map(drop)
    }

    /// A consistent read.
    pub(crate) async fn get(&self, name: &str) -> Result<Option<PersistentVolumeClaim>, RequestError> {
        match self.requests.send("get_claim", self.claims.get(name)).await {
            Ok(claim) => Ok(Some(claim)),
            Err(RequestError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes this very claim. One that Pods mount goes when they do.
    pub(crate) async fn delete(&self, name: &str, uid: &str) -> Result<(), RequestError> {
        let this = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(this), ..DeleteParams::default() };
        self.requests.send("delete_claim", async { self.claims.delete(name, &parameters).await.map(|_| ()) }).await
    }

    /// What the workspaces of runs are called, and whose they are.
    pub(crate) async fn list_workspaces(&self) -> Result<Vec<ObjectMeta>, RequestError> {
        let mut found = Vec::new();
        let mut parameters = ListParams::default().labels(&format!("{}=true", keys::LABEL_WORKSPACE)).limit(PAGE);
        loop {
            let page = self.requests.send("list_claims", self.claims.list_metadata(&parameters)).await?;
            found.extend(page.items.into_iter().map(|claim| claim.metadata));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => parameters = parameters.continue_token(&token),
                None => return Ok(found),
            }
        }
    }
}
