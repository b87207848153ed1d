//! Watches namespaces, their configuration and our own objects, and looks after each namespace that something happened
//! to. Namespaces do not wait for one another, and one that fails is tried again without holding up the others (R11).

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::stream::{self, BoxStream};
use futures::{FutureExt, Stream, StreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::{Api, Client, ResourceExt};
use kube_runtime::controller::{self, Action, applier};
use kube_runtime::reflector::{self, ObjectRef, Store, reflector};
use kube_runtime::{WatchStreamExt, watcher};
use penstock_spec::keys;
use penstock_spec::settings::ObjectKey;
use prometheus::Registry;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::apply::{Caretaker, Next, is_enabled};
use super::kfp_launcher;
use super::notice;
use super::reconcile::{OwnKind, is_ours};
use super::status::{NamespaceMetrics, NamespaceStatus, Notice, Standing};
use crate::endpoints::StoreEndpoints;
use crate::service::api_failure::ApiFailure;
use crate::service::backoff::Backoff;

/// Namespaces that are looked at at the same time.
const CONCURRENCY: u16 = 8;
/// What happens to a namespace within this time is one look.
const DEBOUNCE: Duration = Duration::from_millis(50);

type NamespaceMeta = PartialObjectMeta<Namespace>;
type OwnMeta = PartialObjectMeta<DynamicObject>;
type NamespaceRef = ObjectRef<NamespaceMeta>;

/// Settings of a [`NamespaceController`].
#[derive(Debug, Clone)]
pub struct NamespaceControllerSettings {
    /// URL of the store that `minio://` means in a namespace that configures nothing.
    pub default_endpoint: String,
    /// ConfigMap with authorities of the stores' certificates in a namespace that names none.
    pub default_store_ca: Option<ObjectKey>,
    /// Where the driver of this process looks for what tasks store; namespaces whose tasks store elsewhere are told so.
    pub driver_endpoints: Option<StoreEndpoints>,
    /// The only namespaces to look after; all that have the label when empty.
    pub only: Vec<String>,
    /// Who reports Events: our Pod's name.
    pub instance: String,
    /// Longest wait for an answer of the API server.
    pub request_timeout: Duration,
    /// A watch that says nothing for this time is started anew; whole seconds.
    pub watch_timeout: Duration,
    /// Each namespace is looked at this often even if nothing happens.
    pub resync: Duration,
    /// How long Pods of a namespace that is being deleted keep our finalizer, so that whoever drives their runs can record
    /// how they ended.
    pub hold: Duration,
    /// First and longest wait before a namespace that failed is tried again.
    pub retry: (Duration, Duration),
}

impl Default for NamespaceControllerSettings {
    fn default() -> NamespaceControllerSettings {
        NamespaceControllerSettings {
            default_endpoint: "http://minio-service.kubeflow:9000".to_owned(),
            default_store_ca: None,
            driver_endpoints: None,
            only: Vec::new(),
            instance: "penstock-driver".to_owned(),
            request_timeout: Duration::from_secs(15),
            watch_timeout: Duration::from_secs(60),
            resync: Duration::from_secs(600),
            hold: Duration::from_secs(30),
            retry: (Duration::from_secs(1), Duration::from_secs(300)),
        }
    }
}

/// The controller cannot be set up.
#[derive(Debug, Error)]
pub enum NamespaceControllerError {
    /// The endpoint cannot be used.
    #[error("the default endpoint {endpoint:?} is not an http:// or https:// URL (--default-endpoint)")]
    Endpoint {
        /// The endpoint.
        endpoint: String,
    },
    /// A metric cannot be registered.
    #[error("cannot register the metrics of namespaces")]
    Metrics(#[source] prometheus::Error),
}

/// Keeps labelled namespaces as they ought to be. Clones share everything.
#[derive(Clone)]
pub struct NamespaceController {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    settings: NamespaceControllerSettings,
    standing: Standing,
    /// Watches whose first list has not come.
    waiting: Mutex<BTreeSet<&'static str>>,
}

impl NamespaceController {
    /// A controller that does nothing until it is [run](NamespaceController::run).
    pub fn new(
        client: Client,
        settings: NamespaceControllerSettings,
        registry: &Registry,
    ) -> Result<NamespaceController, NamespaceControllerError> {
        if !kfp_launcher::is_endpoint_url(&settings.default_endpoint) {
            return Err(NamespaceControllerError::Endpoint { endpoint: settings.default_endpoint });
        }
        let metrics = NamespaceMetrics::new(registry).map_err(NamespaceControllerError::Metrics)?;
        let standing = Standing::new(metrics);
        let waiting = Mutex::new(watched().collect());
        Ok(NamespaceController { shared: Arc::new(Shared { client, settings, standing, waiting }) })
    }

    /// How the namespaces with the label stand; empty while the controller does not run.
    pub fn status(&self) -> BTreeMap<String, NamespaceStatus> {
        self.shared.standing.all()
    }

    /// The watches whose first list is still missing; empty when the controller is ready.
    pub fn waits_for(&self) -> Vec<&'static str> {
        self.shared.waiting().iter().copied().collect()
    }

    /// Works until `shutdown`. May be called again afterwards.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let _forgets = Forgets(&self.shared);
        tokio::select! {
            () = Turn::start(&self.shared) => {}
            () = shutdown => {}
        }
    }
}

/// Nothing is known of namespaces while nobody looks, also when the work was dropped.
struct Forgets<'a>(&'a Shared);

impl Drop for Forgets<'_> {
    fn drop(&mut self) {
        self.0.standing.clear();
        *self.0.waiting() = watched().collect();
    }
}

/// The words for what is watched.
fn watched() -> impl Iterator<Item = &'static str> {
    ["Namespace", "kfp-launcher"].into_iter().chain(OwnKind::ALL.map(OwnKind::word))
}

impl Shared {
    fn waiting(&self) -> std::sync::MutexGuard<'_, BTreeSet<&'static str>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch_config(&self) -> watcher::Config {
        let seconds = u32::try_from(self.settings.watch_timeout.as_secs()).unwrap_or(u32::MAX).max(1);
        watcher::Config::default().timeout(seconds)
    }

    /// A watch with its cache. Errors are counted, and the watch goes on after a pause.
    fn watch<K>(
        self: &Arc<Self>,
        word: &'static str,
        api: Api<K>,
        config: watcher::Config,
        writer: reflector::store::Writer<K>,
    ) -> impl Stream<Item = watcher::Event<K>> + Send + use<K>
    where
        K: kube::Resource + Clone + std::fmt::Debug + DeserializeOwned + Send + Sync + 'static,
        K::DynamicType: Eq + std::hash::Hash + Clone + Send + Sync,
    {
        let shared = Arc::clone(self);
        reflector(writer, watcher(api, config).default_backoff()).filter_map(move |event| {
            let event = match event {
                Ok(event) => {
                    if matches!(event, watcher::Event::InitDone) {
                        shared.waiting().remove(word);
                    }
                    shared.standing.metrics().last_event.with_label_values(&[word]).set(now_in_seconds());
                    Some(event)
                }
                Err(error) => {
                    shared.standing.metrics().watch_errors.with_label_values(&[word]).inc();
                    warn!(kind = word, error = %error, "a watch broke and is started again");
                    None
                }
            };
            std::future::ready(event)
        })
    }
}

fn now_in_seconds() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}

/// One time that the controller works, with the caches of that time.
struct Turn {
    shared: Arc<Shared>,
    own: Vec<(OwnKind, Store<OwnMeta>)>,
}

impl Turn {
    fn start(shared: &Arc<Shared>) -> impl Future<Output = ()> + use<> {
        let (namespaces, writer) = reflector::store::<NamespaceMeta>();
        let mut triggers: Vec<BoxStream<'static, NamespaceRef>> = Vec::new();
        let api = Api::<NamespaceMeta>::all(shared.client.clone());
        let watch = shared.watch("Namespace", api, shared.watch_config(), writer);
        triggers.push(watch.flat_map(|event| stream::iter(of_namespace(&event))).boxed());

        let config = shared.watch_config().fields(&format!("metadata.name={}", keys::KFP_LAUNCHER_CONFIG_MAP));
        let api = Api::<PartialObjectMeta<ConfigMap>>::all(shared.client.clone());
        let watch = shared.watch("kfp-launcher", api, config, reflector::store().1);
        triggers.push(within_namespaces(watch, namespaces.clone()).boxed());

        let mut own = Vec::new();
        for kind in OwnKind::ALL {
            let resource = kind.resource();
            let writer = reflector::store::Writer::<OwnMeta>::new(resource.clone());
            own.push((kind, writer.as_reader()));
            let config = shared.watch_config().fields(&format!("metadata.name={}", kind.object_name()));
            let api = Api::<OwnMeta>::all_with(shared.client.clone(), &resource);
            let watch = shared.watch(kind.word(), api, config, writer);
            triggers.push(within_namespaces(watch, namespaces.clone()).boxed());
        }
        let turn = Arc::new(Turn { shared: Arc::clone(shared), own });
        let shared = Arc::clone(shared);
        applier(
            |namespace, turn: Arc<Turn>| async move { turn.reconcile(&namespace).await }.boxed(),
            |_, never: &Infallible, _| match *never {},
            turn,
            namespaces,
            stream::select_all(triggers).map(Ok::<_, Infallible>),
            controller::Config::default().concurrency(CONCURRENCY).debounce(DEBOUNCE),
        )
        .for_each(move |result| {
            match result {
                Ok(_) => {}
                // The namespace is gone.
                Err(controller::Error::ObjectNotFound(namespace)) => shared.standing.forget(&namespace.name),
                Err(error) => warn!(error = %error, "the queue of namespaces reports an error"),
            }
            std::future::ready(())
        })
    }

    async fn reconcile(&self, namespace: &NamespaceMeta) -> Result<Action, Infallible> {
        let Shared { client, settings, standing, .. } = &*self.shared;
        let name = namespace.name_any();
        if !settings.only.is_empty() && !settings.only.contains(&name) {
            return Ok(Action::await_change());
        }
        let caretaker = Caretaker {
            client,
            default_endpoint: &settings.default_endpoint,
            default_store_ca: settings.default_store_ca.as_ref(),
            driver_endpoints: settings.driver_endpoints.as_ref(),
            request_timeout: settings.request_timeout,
            hold: settings.hold,
            standing,
        };
        let look = caretaker.look_after(namespace, self.has_leftovers(&name));
        // A fault of ours that one namespace brings to light must not stop the others (T-19).
        let result = AssertUnwindSafe(look).catch_unwind().await.unwrap_or_else(|_| {
            Err(ApiFailure::new(format!("look after namespace {name}"), "an internal error, which the log shows"))
        });
        let next = match result {
            Ok(Next::OnChange) => None,
            Ok(Next::Resync) => Some(settings.resync.mul_f64(rand::random_range(0.9..1.1))),
            Ok(Next::After(wait)) => Some(wait),
            Err(failure) => {
                let failures = standing.failed(&name, failure.to_string());
                let (first, longest) = settings.retry;
                let wait = Backoff { first, longest }.next(failures);
                warn!(namespace = name, failures, error = %failure, "a namespace is not as it ought to be");
                Some(wait.max(failure.retry_after().unwrap_or_default()))
            }
        };
        let tell_after = self.tell(namespace, &name).await;
        Ok(next.into_iter().chain(tell_after).min().map_or_else(Action::await_change, Action::requeue))
    }

    /// Whether anything of ours was seen in a namespace.
    fn has_leftovers(&self, namespace: &str) -> bool {
        self.own.iter().any(|(kind, store)| {
            let object = ObjectRef::new_with(kind.object_name(), kind.resource()).within(namespace);
            store.get(&object).is_some_and(|object| is_ours(&*object))
        })
    }

    /// An Event for the people of the namespace; returns when there will be something to say. That it cannot be written
    /// fails nothing.
    async fn tell(&self, namespace: &NamespaceMeta, name: &str) -> Option<Duration> {
        let Shared { client, settings, standing, .. } = &*self.shared;
        let text = match standing.take_notice(name, Instant::now()) {
            Notice::Nothing => return None,
            Notice::Later(wait) => return Some(wait),
            Notice::Say(text) => text,
        };
        let event = notice::publish(client.clone(), &settings.instance, name, namespace.uid(), &text);
        match tokio::time::timeout(settings.request_timeout, event).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!(namespace = name, error = %error, "cannot write an Event"),
            Err(_) => debug!(namespace = name, "no answer to an Event"),
        }
        None
    }
}

/// What an event of the namespaces' watch means for which namespace.
fn of_namespace(event: &watcher::Event<NamespaceMeta>) -> Option<NamespaceRef> {
    match event {
        watcher::Event::Apply(object) | watcher::Event::InitApply(object) | watcher::Event::Delete(object) => {
            Some(ObjectRef::from_obj(object))
        }
        watcher::Event::Init | watcher::Event::InitDone => None,
    }
}

/// The namespaces of the objects that a watch speaks of. What was deleted while the watch was broken is in no event, so
/// after a new list each labelled namespace is looked at (R7).
fn within_namespaces<K>(
    watch: impl Stream<Item = watcher::Event<K>> + Send + 'static,
    namespaces: Store<NamespaceMeta>,
) -> impl Stream<Item = NamespaceRef> + Send
where
    K: kube::Resource + Send + 'static,
{
    watch.flat_map(move |event| {
        let touched = match &event {
            watcher::Event::Apply(object) | watcher::Event::InitApply(object) | watcher::Event::Delete(object) => {
                object.meta().namespace.iter().map(|name| ObjectRef::new(name)).collect()
            }
            watcher::Event::InitDone => {
                namespaces.state_filter(is_enabled).iter().map(|namespace| ObjectRef::from_obj(&**namespace)).collect()
            }
            watcher::Event::Init => Vec::new(),
        };
        stream::iter(touched)
    })
}
