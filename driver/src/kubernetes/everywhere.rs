//! In which namespaces there are Pods of tasks, whether or not a run is known there: of runs that were deleted, or that an
//! earlier store knew.

use std::collections::BTreeSet;
use std::fmt::Debug;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::Resource;
use kube::api::{Api, ListParams, ObjectMeta};
use penstock_spec::keys;
use serde::de::DeserializeOwned;

use super::KubernetesHost;
use super::api::task_selector;
use super::failure::RequestError;

/// Objects listed in one request.
const PAGE: u32 = 500;

/// The namespaces with the label that hold Pods of tasks. Where it is gone, nothing may be changed any more.
pub(crate) async fn namespaces_of_pods(host: &KubernetesHost) -> Result<BTreeSet<String>, RequestError> {
    let client = &host.settings.client;
    let pods = Api::<Pod>::all(client.clone());
    let with_pods = collect(host, &pods, &task_selector(), |object| object.namespace).await?;
    if with_pods.is_empty() {
        return Ok(with_pods);
    }
    let enabled = format!("{}={}", keys::LABEL_NAMESPACE, keys::NAMESPACE_ENABLED);
    let enabled = collect(host, &Api::<Namespace>::all(client.clone()), &enabled, |object| object.name).await?;
    Ok(with_pods.intersection(&enabled).cloned().collect())
}

/// What all objects of a selection say, of which only the metadata is asked for.
async fn collect<K>(
    host: &KubernetesHost,
    api: &Api<K>,
    selector: &str,
    said: fn(ObjectMeta) -> Option<String>,
) -> Result<BTreeSet<String>, RequestError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let mut found = BTreeSet::new();
    let mut parameters = ListParams::default().labels(selector).limit(PAGE);
    loop {
        let deadline = host.settings.request_deadline;
        let page = match tokio::time::timeout(deadline, api.list_metadata(&parameters)).await {
            Ok(page) => page.map_err(RequestError::from)?,
            Err(_) => {
                let reason = format!("the API server did not answer within {} s", deadline.as_secs_f32());
                return Err(RequestError::Passing { reason, retry_after: None });
            }
        };
        found.extend(page.items.into_iter().filter_map(|object| said(object.metadata)));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(found),
        }
    }
}
