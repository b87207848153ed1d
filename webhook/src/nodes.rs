//! Which way the entry takes into Pods: by an image volume only while every node is known to be able to mount one, since
//! nobody knows yet which of them the Pod will be on.
//!
//! Nothing waits for this: until all nodes are known, and whenever they are not, the entry is copied, which works anywhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client};
use kube_runtime::watcher::{self, DefaultBackoff, Event, watcher};
use penstock_runtime::logs;
use prometheus::IntGauge;
use tracing::{info, warn};

use crate::inject::EntryDelivery;

/// Nodes in one answer: with the images that they list, each has some 20 KiB.
const PAGE: u32 = 100;
/// Time until nodes are asked for again after the answer that this is not allowed.
const REFUSED: Duration = Duration::from_secs(600);
/// From this version on no kubelet can be without image volumes. One is never newer than its API server, which then knows
/// the field.
const KUBELET: Version = (1, 36);
/// Runtimes that mount images so that what is in them can be executed, and the version from which on they do. CRI-O mounts
/// them too, and has meant to forbid that.
const RUNTIMES: [(&str, Version); 1] = [("containerd", (2, 1))];

/// Major and minor.
type Version = (u32, u32);

/// How the entry gets into Pods.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EntryVolume {
    /// By an image volume if every node can mount one, otherwise as a copy.
    #[default]
    Auto,
    /// By an image volume.
    Image,
    /// As a copy.
    Copy,
}

/// The way that holds now. Clones share it; reading it never waits.
#[derive(Debug, Clone)]
pub struct PresentDelivery {
    is_image_volume: Arc<AtomicBool>,
    gauge: IntGauge,
}

impl PresentDelivery {
    /// The way to begin with.
    pub(crate) fn new(volume: EntryVolume, gauge: IntGauge) -> PresentDelivery {
        let present = PresentDelivery { is_image_volume: Arc::default(), gauge };
        present.set(match volume {
            EntryVolume::Image => EntryDelivery::ImageVolume,
            EntryVolume::Auto | EntryVolume::Copy => EntryDelivery::Copy,
        });
        present
    }

    /// The way.
    pub fn get(&self) -> EntryDelivery {
        match self.is_image_volume.load(Ordering::Relaxed) {
            true => EntryDelivery::ImageVolume,
            false => EntryDelivery::Copy,
        }
    }

    /// Whether that is a change.
    fn set(&self, delivery: EntryDelivery) -> bool {
        let is_image_volume = delivery == EntryDelivery::ImageVolume;
        self.gauge.set(i64::from(is_image_volume));
        self.is_image_volume.swap(is_image_volume, Ordering::Relaxed) != is_image_volume
    }
}

/// Keeps the way right. Never ends.
pub(crate) async fn follow(volume: EntryVolume, client: Client, present: PresentDelivery) {
    if volume != EntryVolume::Auto {
        return std::future::pending().await;
    }
    let (mut fleet, mut backoff) = (Fleet::new(present), DefaultBackoff::default());
    loop {
        // After an error a resumed watch gives no sign that it stands again until some node changes: a new one begins
        // with a list.
        let config = watcher::Config::default().page_size(PAGE);
        let mut events = std::pin::pin!(watcher(Api::<Node>::all(client.clone()), config));
        let error = loop {
            match events.next().await {
                Some(Ok(event)) => fleet.apply(event),
                Some(Err(error)) => break Some(error),
                None => break None,
            }
        };
        fleet.lose(error.as_ref());
        let pause = backoff.next().unwrap_or(REFUSED);
        tokio::time::sleep(if error.is_some_and(|error| is_refusal(&error)) { REFUSED } else { pause }).await;
    }
}

fn is_refusal(error: &watcher::Error) -> bool {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    let (InitialListFailed(error) | WatchStartFailed(error) | WatchFailed(error)) = error else {
        return matches!(error, WatchError(status) if status.is_forbidden());
    };
    matches!(error, kube::Error::Api(status) if status.is_forbidden())
}

/// The nodes on which Pods of ours may be, each with the reason why it cannot mount images, if there is one.
type Nodes = BTreeMap<String, Option<String>>;

/// What is known of all nodes.
#[derive(Debug)]
struct Fleet {
    nodes: Nodes,
    /// What a list in progress has given so far.
    listed: Nodes,
    /// The list was whole, and what happened since has been told.
    is_known: bool,
    /// The warning that it is not was given.
    is_warned: bool,
    /// The way was logged.
    is_told: bool,
    present: PresentDelivery,
}

impl Fleet {
    fn new(present: PresentDelivery) -> Fleet {
        let (nodes, listed) = (Nodes::new(), Nodes::new());
        Fleet { nodes, listed, is_known: false, is_warned: false, is_told: false, present }
    }

    fn apply(&mut self, event: Event<Node>) {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(node) => note(&mut self.listed, &node),
            Event::InitDone => {
                self.nodes = std::mem::take(&mut self.listed);
                (self.is_known, self.is_warned) = (true, false);
            }
            Event::Apply(node) => note(&mut self.nodes, &node),
            Event::Delete(node) => drop(self.nodes.remove(&name(&node))),
        }
        if self.is_known {
            self.decide();
        }
    }

    fn decide(&mut self) {
        let obstacle = self.nodes.iter().find_map(|(node, reason)| Some((node, reason.as_ref()?)));
        let is_possible = obstacle.is_none() && !self.nodes.is_empty();
        let delivery = if is_possible { EntryDelivery::ImageVolume } else { EntryDelivery::Copy };
        let is_news = self.present.set(delivery) || !self.is_told;
        self.is_told = true;
        if !is_news {
            return;
        }
        match obstacle {
            None if is_possible => info!(nodes = self.nodes.len(), "entries get into Pods by image volumes"),
            None => info!("entries are copied into Pods: there is no Linux node"),
            Some((node, reason)) => info!(node, reason, "entries are copied into Pods: a node cannot mount images"),
        }
    }

    /// What is known may be outdated.
    fn lose(&mut self, error: Option<&watcher::Error>) {
        self.present.set(EntryDelivery::Copy);
        (self.is_known, self.is_told) = (false, false);
        if !std::mem::replace(&mut self.is_warned, true) {
            let error = error.map_or_else(|| "the watch ended".to_owned(), |error| logs::chain(error));
            warn!(
                error,
                "cannot watch nodes, so entries are copied into Pods until that is possible; --entry-volume copy or image \
                 says how without looking"
            );
        }
    }
}

fn name(node: &Node) -> String {
    node.metadata.name.clone().unwrap_or_default()
}

fn note(nodes: &mut Nodes, node: &Node) {
    match look_at(node) {
        Look::Other => drop(nodes.remove(&name(node))),
        Look::Able => drop(nodes.insert(name(node), None)),
        Look::Unable(reason) => drop(nodes.insert(name(node), Some(reason))),
    }
}

/// What a node is to us.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    /// Of another operating system than our Pods.
    Other,
    /// It mounts images.
    Able,
    /// It does not, or may not, and why.
    Unable(String),
}

fn look_at(node: &Node) -> Look {
    let Some(info) = node.status.as_ref().and_then(|status| status.node_info.as_ref()) else {
        return Look::Unable("its kubelet has told nothing of itself".to_owned());
    };
    if !matches!(info.operating_system.as_str(), "linux" | "") {
        return Look::Other;
    }
    // What stands behind a virtual node is no container runtime, whatever version it pretends.
    let kind = node.metadata.labels.as_ref().and_then(|labels| labels.get("type"));
    if let Some(kind) = kind.filter(|kind| kind.starts_with("virtual-")) {
        return Look::Unable(format!("it is virtual: label type={kind}"));
    }
    match obstacle(&info.kubelet_version, &info.container_runtime_version) {
        None => Look::Able,
        Some(reason) => Look::Unable(reason),
    }
}

/// Why a node with these versions, as its kubelet writes them, may not mount images. `None` when it does.
fn obstacle(kubelet: &str, runtime: &str) -> Option<String> {
    match kubelet.strip_prefix('v').and_then(version) {
        None => return Some(format!("its kubelet's version {kubelet:?} cannot be read")),
        Some(version) if version < KUBELET => {
            return Some(format!("its kubelet is {kubelet}, and image volumes need v{}.{}", KUBELET.0, KUBELET.1));
        }
        Some(_) => {}
    }
    let Some((name, text)) = runtime.split_once("://") else {
        return Some(format!("its container runtime {runtime:?} is not known"));
    };
    let Some((_, least)) = RUNTIMES.iter().find(|(known, _)| *known == name) else {
        return Some(format!("its container runtime {runtime} is not known to mount images"));
    };
    match version(text) {
        None => Some(format!("the version of its container runtime {runtime} cannot be read")),
        Some(version) if version < *least => {
            Some(format!("its container runtime is {runtime}, and image volumes need {name} {}.{}", least.0, least.1))
        }
        Some(_) => None,
    }
}

/// Reads the beginning of a version: `1.36.3`, `2.2.1-k3s1`.
fn version(text: &str) -> Option<Version> {
    let mut parts = text.splitn(3, '.');
    let (major, minor) = (parts.next()?, parts.next()?);
    parts.next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests;
