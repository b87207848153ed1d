//! Requests to the API server about Pods.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use penstock_spec::keys;
use uuid::Uuid;

use super::failure::RequestError;
use super::identity::{is_held, without_finalizer};
use super::requests::Requests;
use super::signs::{Sign, heard};

/// Pods listed in one request.
const PAGE: u32 = 500;
/// Events of one Pod that are read, at most.
const EVENTS: u32 = 100;

/// Pods of one namespace.
#[derive(Clone)]
pub(crate) struct PodApi {
    pods: Api<Pod>,
    namespace: String,
    requests: Requests,
}

impl PodApi {
    pub(crate) fn new(client: kube::Client, namespace: &str, requests: Requests) -> PodApi {
        PodApi { pods: Api::namespaced(client, namespace), namespace: namespace.to_owned(), requests }
    }

    /// The same, and each answer is a sign of life.
    pub(crate) fn heard(&self, sign: &Arc<Sign>) -> PodApi {
        let client = heard(self.pods.clone().into_client(), Arc::clone(sign));
        let pods = Api::namespaced(client, &self.namespace);
        PodApi { pods, ..self.clone() }
    }

    /// The client's own handle, for watches and streams.
    pub(crate) fn raw(&self) -> &Api<Pod> {
        &self.pods
    }

    pub(crate) async fn create(&self, pod: &Pod) -> Result<Pod, RequestError> {
        let parameters = PostParams { field_manager: Some(keys::MANAGED_BY.to_owned()), ..PostParams::default() };
        self.requests.send("create", self.pods.create(&parameters, pod)).await
    }

    /// A consistent read (F-07).
    pub(crate) async fn get(&self, name: &str) -> Result<Option<Pod>, RequestError> {
        match self.requests.send("get", self.pods.get(name)).await {
            Ok(pod) => Ok(Some(pod)),
            Err(RequestError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All task Pods of the namespace, in a consistent read.
    pub(crate) async fn list(&self) -> Result<Vec<Pod>, RequestError> {
        self.list_selected(&task_selector()).await
    }

    /// All task Pods of a run, in a consistent read.
    pub(crate) async fn list_of_run(&self, run: Uuid) -> Result<Vec<Pod>, RequestError> {
        self.list_selected(&format!("{},{}={run}", task_selector(), keys::LABEL_RUN_ID)).await
    }

    async fn list_selected(&self, selector: &str) -> Result<Vec<Pod>, RequestError> {
        let mut pods = Vec::new();
        let mut parameters = ListParams::default().labels(selector).limit(PAGE);
        loop {
            let page = self.requests.send("list", self.pods.list(&parameters)).await?;
            pods.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => parameters = parameters.continue_token(&token),
                None => return Ok(pods),
            }
        }
    }

    /// What happened to this very Pod, as far as the cluster still knows.
    pub(crate) async fn events(&self, uid: &str) -> Result<Vec<Event>, RequestError> {
        let events: Api<Event> = Api::namespaced(self.pods.clone().into_client(), &self.namespace);
        let parameters = ListParams::default().fields(&format!("involvedObject.uid={uid}")).limit(EVENTS);
        Ok(self.requests.send("list", events.list(&parameters)).await?.items)
    }

    /// Deletes this very Pod; fine if it is gone already, or another has its name.
    pub(crate) async fn delete(&self, name: &str, uid: &str) -> Result<(), RequestError> {
        let this = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(this), ..DeleteParams::default() };
        match self.requests.send("delete", async { self.pods.delete(name, &parameters).await.map(|_| ()) }).await {
            Err(RequestError::NotFound | RequestError::Conflict(_)) => Ok(()),
            other => other,
        }
    }

    /// Takes our finalizer off this very Pod, and leaves those of others; fine if the Pod is gone.
    pub(crate) async fn remove_finalizer(&self, pod: &Pod) -> Result<(), RequestError> {
        let (Some(name), Some(patch)) = (pod.metadata.name.as_deref(), without_finalizer(pod)) else {
            return Ok(());
        };
        let parameters = PatchParams { field_manager: Some(keys::MANAGED_BY.to_owned()), ..PatchParams::default() };
        let patched = async {
            let patch = Patch::Strategic(&patch);
            self.pods.patch_metadata(name, &parameters, &patch).await.map(|_| ())
        };
        let refusal = match self.requests.send("patch", patched).await {
            Ok(()) | Err(RequestError::NotFound) => return Ok(()),
            Err(RequestError::Conflict(reason)) => RequestError::Passing { reason, retry_after: None },
            Err(refusal @ RequestError::Final(_)) => refusal,
            Err(error) => return Err(error),
        };
        // The UID of an object cannot be changed, so a successor of the same name is refused, too. Reading tells.
        match self.get(name).await? {
            Some(now) if now.metadata.uid == pod.metadata.uid && is_held(&now) => Err(refusal),
            _ => Ok(()),
        }
    }
}

/// The selector of task Pods.
pub(crate) fn task_selector() -> String {
    format!("{}={}", keys::LABEL_INJECT, keys::INJECT_TASK)
}
