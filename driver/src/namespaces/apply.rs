//! One look at one namespace: reads what is there, and makes it what it ought to be.
//!
//! Reads go to the API server and not to a cache: they are few, and writes depend on them (R7).

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions};
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::{Api, Client, ResourceExt};
use penstock_spec::keys;
use penstock_spec::settings::{NamespaceSettings, ObjectKey};

use super::kfp_launcher::{NamespaceConfig, ReadSettings, RunAsConfig, read_settings};
use super::reconcile::{Change, OwnKind, change, desired, is_ours};
use super::status::{NamespaceState, NamespaceStatus, Standing};
use crate::endpoints::StoreEndpoints;
use crate::service::api_failure::{ApiFailure, request};

/// Owner of the fields that we apply.
const FIELD_MANAGER: &str = "penstock";
/// Until another look at something that is being deleted, or at Pods that are left.
pub(super) const SOON: Duration = Duration::from_secs(5);

/// Looks after namespaces.
pub(super) struct Caretaker<'a> {
    pub(super) client: &'a Client,
    pub(super) default_endpoint: &'a str,
    pub(super) default_store_ca: Option<&'a ObjectKey>,
    pub(super) driver_endpoints: Option<&'a StoreEndpoints>,
    pub(super) request_timeout: Duration,
    /// How long Pods of a namespace that is being deleted are left to their own driver.
    pub(super) hold: Duration,
    pub(super) standing: &'a Standing,
}

/// When to look again, if nothing happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Never: nothing of ours is there.
    OnChange,
    /// In a while, for what a watch may have missed.
    Resync,
    /// Soon.
    After(Duration),
}

/// Whether a namespace has the label that makes it ours to look after.
pub(super) fn is_enabled(namespace: &PartialObjectMeta<Namespace>) -> bool {
    namespace.labels().get(keys::LABEL_NAMESPACE).is_some_and(|value| value == keys::NAMESPACE_ENABLED)
}

impl Caretaker<'_> {
    /// Looks after one namespace. `leftovers`: whether anything of ours was seen there.
    pub(super) async fn look_after(
        &self,
        namespace: &PartialObjectMeta<Namespace>,
        leftovers: bool,
    ) -> Result<Next, ApiFailure> {
        let name = namespace.name_any();
        if namespace.metadata.deletion_timestamp.is_some() {
            return self.release(&name, is_enabled(namespace) || leftovers).await;
        }
        if is_enabled(namespace) {
            return self.establish(namespace, &name).await;
        }
        if leftovers {
            return self.remove(&name).await;
        }
        self.standing.forget(&name);
        Ok(Next::OnChange)
    }

    /// Makes everything that ought to be there.
    async fn establish(&self, namespace: &PartialObjectMeta<Namespace>, name: &str) -> Result<Next, ApiFailure> {
        let launcher: Option<ConfigMap> = self.read(keys::KFP_LAUNCHER_CONFIG_MAP, name).await?;
        let read = read_settings(&NamespaceConfig {
            kfp_launcher: launcher.as_ref().and_then(|map| map.data.as_ref()),
            allowed_prefixes: namespace.annotations().get(keys::ANNOTATION_ALLOWED_PREFIXES).map(String::as_str),
            run_as: RunAsConfig::of(namespace.labels(), namespace.annotations()),
            store_ca: namespace.annotations().get(keys::ANNOTATION_STORE_CA).map(String::as_str),
            default_endpoint: self.default_endpoint,
            default_store_ca: self.default_store_ca,
        });
        let (settings, status) = match read {
            Ok(ReadSettings { settings, problems, mut warnings }) => {
                let endpoints = self.driver_endpoints;
                warnings.extend(endpoints.and_then(|own| own.difference(&settings, &settings.default_root)));
                let state = if problems.is_empty() { NamespaceState::Ready } else { NamespaceState::Degraded };
                (Some(settings), NamespaceStatus { state, problems, warnings })
            }
            Err(error) => {
                let problem = format!("{error}; the settings that were read before stay in force");
                let problems = vec![problem];
                (None, NamespaceStatus { problems, ..NamespaceStatus::new(NamespaceState::Degraded) })
            }
        };
        let next = self.put_all(name, settings.as_ref()).await?;
        self.standing.set(name, status);
        Ok(next)
    }

    /// One object that fails does not keep the others from being made.
    async fn put_all(&self, namespace: &str, settings: Option<&NamespaceSettings>) -> Result<Next, ApiFailure> {
        let (mut next, mut failure) = (Next::Resync, None);
        for (kind, object) in desired(namespace, settings) {
            match self.put(kind, namespace, &object).await {
                Ok(true) => {}
                Ok(false) => next = Next::After(SOON),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(next), Err)
    }

    /// Makes one object what it ought to be; false if that has to wait.
    async fn put(&self, kind: OwnKind, namespace: &str, object: &DynamicObject) -> Result<bool, ApiFailure> {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &kind.resource());
        let about = |verb: &str| format!("{verb} {} {namespace}/{}", kind.word(), kind.object_name());
        let live = request(self.request_timeout, || about("read"), api.get_opt(kind.object_name())).await?;
        match change(kind, object, live.as_ref()) {
            Change::None => return Ok(true),
            Change::Wait => return Ok(false),
            Change::Replace => self.delete(kind, namespace, live.and_then(|live| live.uid())).await?,
            Change::Apply => {}
        }
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(object);
        request(self.request_timeout, || about("apply"), api.patch(kind.object_name(), &parameters, &patch)).await?;
        self.standing.metrics().writes.with_label_values(&[kind.word(), "apply"]).inc();
        tracing::info!(namespace, kind = kind.word(), name = kind.object_name(), "applied an object of the namespace");
        Ok(true)
    }

    /// Takes away what is ours, once the label is gone and no Pod needs it.
    async fn remove(&self, name: &str) -> Result<Next, ApiFailure> {
        let namespaces: Api<PartialObjectMeta<Namespace>> = Api::all(self.client.clone());
        let what = || format!("read Namespace {name}");
        let Some(live) = request(self.request_timeout, what, namespaces.get_opt(name)).await? else {
            self.standing.forget(name);
            return Ok(Next::OnChange);
        };
        if is_enabled(&live) || live.metadata.deletion_timestamp.is_some() {
            // What we saw was old. The newer state is on its way; this is for the case that it got lost.
            return Ok(Next::After(SOON));
        }
        let pods: Api<PartialObjectMeta<Pod>> = Api::namespaced(self.client.clone(), name);
        let unfinished = ListParams::default()
            .labels(keys::LABEL_INJECT)
            .fields("status.phase!=Succeeded,status.phase!=Failed")
            .limit(1);
        let what = || format!("list Pods with a launcher in {name}");
        let left = request(self.request_timeout, what, pods.list(&unfinished)).await?;
        if !left.items.is_empty() {
            self.standing.set(name, NamespaceStatus::new(NamespaceState::Draining));
            return Ok(Next::After(SOON));
        }
        for kind in OwnKind::ALL.into_iter().rev() {
            let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), name, &kind.resource());
            let what = || format!("read {} {name}/{}", kind.word(), kind.object_name());
            let live = request(self.request_timeout, what, api.get_opt(kind.object_name())).await?;
            if let Some(live) = live.filter(|live| is_ours(live) && live.metadata.deletion_timestamp.is_none()) {
                self.delete(kind, name, live.uid()).await?;
            }
        }
        self.standing.forget(name);
        Ok(Next::OnChange)
    }

    /// Deletes the very object that was looked at.
    async fn delete(&self, kind: OwnKind, namespace: &str, uid: Option<String>) -> Result<(), ApiFailure> {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &kind.resource());
        let what = || format!("delete {} {namespace}/{}", kind.word(), kind.object_name());
        let parameters = DeleteParams::default().preconditions(Preconditions { uid, resource_version: None });
        match request(self.request_timeout, what, api.delete(kind.object_name(), &parameters)).await {
            Ok(_) => {
                self.standing.metrics().writes.with_label_values(&[kind.word(), "delete"]).inc();
                tracing::info!(namespace, kind = kind.word(), name = kind.object_name(), "deleted an object of ours");
                Ok(())
            }
            // Somebody else was faster.
            Err(failure) if failure.code() == Some(404) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    async fn read<K>(&self, name: &str, namespace: &str) -> Result<Option<K>, ApiFailure>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let what = || format!("read {} {namespace}/{name}", K::kind(&()));
        request(self.request_timeout, what, api.get_opt(name)).await
    }
}
