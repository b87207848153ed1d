//! One watch of task Pods a namespace, shared by all runs: it knows the latest state of each, and wakes who waits for one.
//!
//! A list is the truth, a watch is a hint (R7): what a new list lacks is reported as missing, and whoever decides on that
//! reads the object itself. An older state never replaces a newer one.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube_runtime::watcher;
use kube_runtime::watcher::Event;
use penstock_spec::keys;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tracing::warn;

use super::api::{PodApi, task_selector};
use super::backoff::{Backoff, jittered};
use super::metrics::{KubernetesMetrics, phase_word};
use super::signs::{Sign, Signs};
use super::view::View;

/// How often the age of the last sign of life is published.
const TICK: Duration = Duration::from_secs(2);
/// Time that a watch has for being renewed, after it was taken for dead.
const RENEWAL: Duration = Duration::from_secs(10);

/// What is known of a Pod.
#[derive(Debug, Clone)]
pub(crate) enum Sighting {
    /// Nothing yet.
    Unseen,
    /// Its latest state.
    Seen(Arc<Pod>),
    /// A list or an event says that it is gone, and this is its last state. To be read before it is believed.
    Missing(Option<Arc<Pod>>),
}

/// How often a watch does what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Periods {
    /// It is renewed, in seconds; it is taken for dead when it has been silent for a little longer (F-05).
    pub(crate) watch_seconds: u32,
    /// Everything is listed anew: an event may never be delivered (F-04).
    pub(crate) relist: Duration,
}

/// All watches of a process.
pub(crate) struct PodWatches {
    periods: Periods,
    metrics: Arc<KubernetesMetrics>,
    signs: Arc<Signs>,
    namespaces: Mutex<HashMap<String, Weak<PodWatch>>>,
}

impl PodWatches {
    pub(crate) fn new(periods: Periods, metrics: Arc<KubernetesMetrics>) -> PodWatches {
        let signs = Signs::new(Arc::clone(&metrics));
        PodWatches { periods, metrics, signs, namespaces: Mutex::default() }
    }

    /// For how long all watches have been silent, if there are any and that is too long for one that is renewed in time.
    pub(crate) fn silence(&self) -> Option<Duration> {
        let limit = Duration::from_secs(2 * u64::from(self.periods.watch_seconds)) + RENEWAL;
        self.signs.silence().filter(|silence| *silence > limit)
    }

    /// The watch of a namespace; it ends with the last who holds it.
    pub(crate) fn namespace(&self, namespace: &str, api: &PodApi) -> Arc<PodWatch> {
        let mut namespaces = lock(&self.namespaces);
        if let Some(watch) = namespaces.get(namespace).and_then(Weak::upgrade) {
            return watch;
        }
        namespaces.retain(|_, watch| watch.strong_count() > 0);
        let sign = self.signs.begin();
        let api = api.heard(&sign);
        let watch = Arc::new(PodWatch::start(namespace.to_owned(), api, self.periods, Arc::clone(&self.metrics), sign));
        namespaces.insert(namespace.to_owned(), Arc::downgrade(&watch));
        watch
    }
}

/// Task Pods of one namespace.
pub(crate) struct PodWatch {
    known: Arc<KnownPods>,
    task: AbortHandle,
}

struct KnownPods {
    namespace: String,
    pods: Mutex<HashMap<String, Known>>,
    synced: watch::Sender<bool>,
    metrics: Arc<KubernetesMetrics>,
}

#[derive(Default)]
struct Known {
    pod: Option<Arc<Pod>>,
    waiting: Option<watch::Sender<Sighting>>,
}

/// Hears of one Pod, until it is dropped.
pub(crate) struct Subscription {
    known: Arc<KnownPods>,
    name: String,
    sightings: watch::Receiver<Sighting>,
}

impl PodWatch {
    fn start(
        namespace: String,
        api: PodApi,
        periods: Periods,
        metrics: Arc<KubernetesMetrics>,
        sign: Arc<Sign>,
    ) -> PodWatch {
        let known =
            Arc::new(KnownPods { namespace, pods: Mutex::default(), synced: watch::Sender::new(false), metrics });
        let task = tokio::spawn(Arc::clone(&known).follow(api, periods, sign)).abort_handle();
        PodWatch { known, task }
    }

    /// Hears of a Pod from now on.
    pub(crate) fn subscribe(&self, name: &str) -> Subscription {
        let mut pods = lock(&self.known.pods);
        let Known { pod, waiting } = pods.entry(name.to_owned()).or_default();
        let sighting = || pod.clone().map_or(Sighting::Unseen, Sighting::Seen);
        let sightings = waiting.get_or_insert_with(|| watch::Sender::new(sighting())).subscribe();
        Subscription { known: Arc::clone(&self.known), name: name.to_owned(), sightings }
    }

    /// Takes note of a state that was read or written otherwise; returns the latest.
    pub(crate) fn observe(&self, pod: Pod) -> Arc<Pod> {
        self.known.observe(pod)
    }

    /// The latest state of a Pod, once the namespace was listed; waits for that, for a bounded time.
    pub(crate) async fn find(&self, name: &str, limit: Duration) -> Option<Arc<Pod>> {
        let mut synced = self.known.synced.subscribe();
        // Without a list, what is known is all there is.
        let _ = tokio::time::timeout(limit, synced.wait_for(|synced| *synced)).await;
        lock(&self.known.pods).get(name)?.pod.clone()
    }
}

impl Drop for PodWatch {
    fn drop(&mut self) {
        self.task.abort();
        self.known.clear();
    }
}

impl Subscription {
    pub(crate) fn latest(&mut self) -> Sighting {
        self.sightings.borrow_and_update().clone()
    }

    /// Waits for news.
    pub(crate) async fn changed(&mut self) {
        if self.sightings.changed().await.is_err() {
            // The watch has ended: no news will come.
            std::future::pending::<()>().await;
        }
    }

    /// A consistent read found no such Pod.
    pub(crate) fn forget(&self) {
        self.known.remove(&self.name, false);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut pods = lock(&self.known.pods);
        let Some(known) = pods.get_mut(&self.name) else { return };
        // This very subscription is still counted.
        if known.waiting.as_ref().is_some_and(|waiting| waiting.receiver_count() <= 1) {
            known.waiting = None;
            if known.pod.is_none() {
                pods.remove(&self.name);
            }
        }
    }
}

impl KnownPods {
    /// Lists and watches for ever. Errors are waited out: they are the API server's or the network's.
    async fn follow(self: Arc<Self>, api: PodApi, periods: Periods, sign: Arc<Sign>) {
        let config = watcher::Config::default().labels(&task_selector()).timeout(periods.watch_seconds);
        let mut backoff = Backoff::default();
        let mut tick = tokio::time::interval(TICK);
        loop {
            let events = watcher::watcher(api.raw().clone(), config.clone());
            let mut events = std::pin::pin!(events);
            let relist = tokio::time::sleep(jittered(periods.relist));
            let mut relist = std::pin::pin!(relist);
            let mut listed = None;
            loop {
                let event = tokio::select! {
                    biased;
                    event = events.next() => event,
                    () = &mut relist => break,
                    _ = tick.tick() => {
                        sign.publish();
                        continue;
                    }
                };
                match event {
                    Some(Ok(event)) => {
                        backoff.reset();
                        sign.give();
                        self.take(event, &mut listed);
                    }
                    Some(Err(error)) => {
                        let wait = backoff.next(None);
                        self.metrics.watch_failed(kind_of(&error));
                        warn!(
                            namespace = self.namespace,
                            error = crate::error::chain(&error),
                            again_in_ms = wait.as_millis(),
                            "the watch of task Pods failed; what is shown of them may be out of date"
                        );
                        tokio::time::sleep(wait).await;
                    }
                    None => break,
                }
            }
        }
    }

    fn take(&self, event: Event<Pod>, listed: &mut Option<HashSet<String>>) {
        match event {
            Event::Init => *listed = Some(HashSet::new()),
            Event::InitApply(pod) => {
                if let (Some(names), Some(name)) = (listed.as_mut(), pod.metadata.name.clone()) {
                    names.insert(name);
                }
                self.observe(pod);
            }
            Event::InitDone => {
                if let Some(names) = listed.take() {
                    self.keep_only(&names);
                }
                self.synced.send_replace(true);
            }
            Event::Apply(pod) => drop(self.observe(pod)),
            Event::Delete(pod) => {
                let (name, uid) = (pod.metadata.name.clone().unwrap_or_default(), pod.metadata.uid.clone());
                // A successor of the same name stays.
                if self.observe(pod).metadata.uid == uid {
                    self.remove(&name, true);
                }
            }
        }
    }

    fn observe(&self, mut pod: Pod) -> Arc<Pod> {
        strip(&mut pod);
        let Some(name) = pod.metadata.name.clone() else { return Arc::new(pod) };
        let mut pods = lock(&self.pods);
        let known = pods.entry(name).or_default();
        if let Some(latest) = known.pod.as_ref().filter(|latest| is_older(&pod, latest)) {
            return Arc::clone(latest);
        }
        let pod = Arc::new(pod);
        let before = known.pod.replace(Arc::clone(&pod));
        if let Some(waiting) = &known.waiting {
            waiting.send_replace(Sighting::Seen(Arc::clone(&pod)));
        }
        drop(pods);
        self.count(before.as_deref(), -1);
        self.count(Some(&pod), 1);
        pod
    }

    /// A Pod is not there. Who waits for it is told, unless it was their own finding.
    fn remove(&self, name: &str, tell: bool) {
        let mut pods = lock(&self.pods);
        let Some(known) = pods.get_mut(name) else { return };
        let before = known.pod.take();
        match &known.waiting {
            Some(waiting) if tell => drop(waiting.send_replace(Sighting::Missing(before.clone()))),
            Some(_) => {}
            None => drop(pods.remove(name)),
        }
        drop(pods);
        self.count(before.as_deref(), -1);
    }

    fn keep_only(&self, listed: &HashSet<String>) {
        let pods = lock(&self.pods);
        let missing = pods.iter().filter(|(name, known)| known.pod.is_some() && !listed.contains(*name));
        let missing: Vec<String> = missing.map(|(name, _)| name.clone()).collect();
        drop(pods);
        for name in missing {
            self.remove(&name, true);
        }
    }

    fn clear(&self) {
        for known in std::mem::take(&mut *lock(&self.pods)).into_values() {
            self.count(known.pod.as_deref(), -1);
        }
    }

    fn count(&self, pod: Option<&Pod>, change: i64) {
        if let Some(pod) = pod {
            self.metrics.pods(phase_word(View::new(pod).phase()), change);
        }
    }
}

/// Leaves out what nobody here reads and what is large.
fn strip(pod: &mut Pod) {
    pod.metadata.managed_fields = None;
    if let Some(annotations) = &mut pod.metadata.annotations {
        annotations.remove(keys::ANNOTATION_PLAN);
    }
}

/// Whether a state is older than one that is known. Versions are numbers of one sequence; where they are not, the later
/// to arrive is taken for the newer.
fn is_older(pod: &Pod, latest: &Pod) -> bool {
    let version = |pod: &Pod| pod.metadata.resource_version.as_deref()?.parse::<u64>().ok();
    matches!((version(pod), version(latest)), (Some(new), Some(known)) if new < known)
}

fn kind_of(error: &watcher::Error) -> &'static str {
    match error {
        watcher::Error::InitialListFailed(_) => "list",
        watcher::Error::WatchError(status) if status.code == 410 => "gone",
        watcher::Error::WatchStartFailed(_) => "start",
        watcher::Error::WatchError(_) | watcher::Error::WatchFailed(_) => "stream",
        watcher::Error::NoResourceVersion => "version",
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known() -> Arc<KnownPods> {
        Arc::new(KnownPods {
            namespace: "team".to_owned(),
            pods: Mutex::default(),
            synced: watch::Sender::new(false),
            metrics: Arc::new(KubernetesMetrics::unregistered().expect("metrics")),
        })
    }

    fn pod(uid: &str, version: &str) -> Pod {
        let metadata = json!({"name": "p", "uid": uid, "resourceVersion": version});
        serde_json::from_value(json!({"metadata": metadata})).expect("a Pod")
    }

    fn subscribe(known: &Arc<KnownPods>) -> (PodWatch, Subscription) {
        let watch = PodWatch { known: Arc::clone(known), task: tokio::spawn(async {}).abort_handle() };
        let subscription = watch.subscribe("p");
        (watch, subscription)
    }

    fn version(sighting: &Sighting) -> Option<&str> {
        match sighting {
            Sighting::Seen(pod) => pod.metadata.resource_version.as_deref(),
            _ => None,
        }
    }

    #[tokio::test]
    async fn r7_f03_older_state_never_replaces_a_newer_one() {
        let known = known();
        let (_watch, mut subscription) = subscribe(&known);
        known.observe(pod("a", "10"));
        known.take(Event::Apply(pod("a", "9")), &mut None);
        assert_eq!(version(&subscription.latest()), Some("10"));
        known.take(Event::Apply(pod("a", "11")), &mut None);
        assert_eq!(version(&subscription.latest()), Some("11"));
    }

    #[tokio::test]
    async fn deletion_of_an_earlier_pod_of_the_name_is_not_that_of_the_present_one() {
        let known = known();
        let (_watch, mut subscription) = subscribe(&known);
        known.observe(pod("b", "20"));
        known.take(Event::Delete(pod("a", "15")), &mut None);
        assert_eq!(version(&subscription.latest()), Some("20"));
        known.take(Event::Delete(pod("b", "21")), &mut None);
        let Sighting::Missing(Some(last)) = subscription.latest() else { panic!("it is gone") };
        assert_eq!(last.metadata.resource_version.as_deref(), Some("21"), "its last state is kept");
    }

    #[tokio::test]
    async fn all_who_subscribe_hear_of_a_pod_until_they_go() {
        let known = known();
        let (watch, mut first) = subscribe(&known);
        let second = watch.subscribe("p");
        known.observe(pod("a", "10"));
        drop(second);
        known.observe(pod("a", "11"));
        assert_eq!(version(&first.latest()), Some("11"));
        known.remove("p", true);
        drop(first);
        assert!(lock(&known.pods).is_empty(), "nobody waits for it, and it is not there");
    }

    #[tokio::test]
    async fn f06_what_a_new_list_lacks_is_missing() {
        let known = known();
        let (_watch, mut subscription) = subscribe(&known);
        known.observe(pod("a", "10"));
        let mut listed = None;
        known.take(Event::Init, &mut listed);
        assert_eq!(version(&subscription.latest()), Some("10"), "the list is not whole yet");
        known.take(Event::InitDone, &mut listed);
        assert!(matches!(subscription.latest(), Sighting::Missing(Some(_))));
        assert!(*known.synced.borrow());
    }
}
