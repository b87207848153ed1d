use k8s_openapi::api::core::v1::{NodeStatus, NodeSystemInfo};
use kube::core::Status;

use super::*;

const NEW: (&str, &str) = ("v1.36.3", "containerd://2.2.9");
const OLD: (&str, &str) = ("v1.35.2-eks-1234", "containerd://2.2.9");

fn node(name: &str, (kubelet, runtime): (&str, &str)) -> Node {
    let info = NodeSystemInfo {
        operating_system: "linux".to_owned(),
        kubelet_version: kubelet.to_owned(),
        container_runtime_version: runtime.to_owned(),
        ..NodeSystemInfo::default()
    };
    let mut node =
        Node { status: Some(NodeStatus { node_info: Some(info), ..NodeStatus::default() }), ..Node::default() };
    node.metadata.name = Some(name.to_owned());
    node
}

fn windows(name: &str) -> Node {
    let mut node = node(name, OLD);
    if let Some(info) = node.status.as_mut().and_then(|status| status.node_info.as_mut()) {
        info.operating_system = "windows".to_owned();
    }
    node
}

fn fleet() -> (Fleet, PresentDelivery) {
    let gauge = IntGauge::new("present", "test").expect("a gauge");
    let present = PresentDelivery::new(EntryVolume::Auto, gauge);
    (Fleet::new(present.clone()), present)
}

fn list(fleet: &mut Fleet, nodes: &[Node]) {
    fleet.apply(Event::Init);
    nodes.iter().cloned().for_each(|node| fleet.apply(Event::InitApply(node)));
    fleet.apply(Event::InitDone);
}

#[test]
fn versions_that_are_known_to_mount_images_do_and_no_others() {
    for (kubelet, runtime) in [
        NEW,
        ("v1.36.0", "containerd://2.1.0"),
        ("v1.36.1-eks-3025e55", "containerd://2.1.4"),
        ("v1.37.0-gke.1200", "containerd://2.2.1-rc.0"),
        ("v1.36.3+k3s1", "containerd://2.2.1-k3s1"),
        ("v2.0.0", "containerd://3.0.0"),
    ] {
        assert_eq!(obstacle(kubelet, runtime), None, "{kubelet} {runtime}");
    }
    for (kubelet, runtime, reason) in [
        ("v1.35.2-eks-1234", "containerd://2.2.9", "its kubelet is v1.35.2-eks-1234, and image volumes need v1.36"),
        ("v1.34.1-gke.100", "containerd://2.2.9", "its kubelet is v1.34.1-gke.100, and image volumes need v1.36"),
        ("", "containerd://2.2.9", "its kubelet's version \"\" cannot be read"),
        ("1.36.3", "containerd://2.2.9", "its kubelet's version \"1.36.3\" cannot be read"),
        ("kwok-v0.6.1", "kwok://", "its kubelet's version \"kwok-v0.6.1\" cannot be read"),
        ("v1.x.3", "containerd://2.2.9", "its kubelet's version \"v1.x.3\" cannot be read"),
        ("v1.99999999999.3", "containerd://2.2.9", "its kubelet's version \"v1.99999999999.3\" cannot be read"),
        ("v1.36", "containerd://2.2.9", "its kubelet's version \"v1.36\" cannot be read"),
        ("v1.36.3", "", "its container runtime \"\" is not known"),
        ("v1.36.3", "containerd", "its container runtime \"containerd\" is not known"),
        ("v1.36.3", "docker://27.0.3", "its container runtime docker://27.0.3 is not known to mount images"),
        ("v1.36.3", "Containerd://2.2.9", "its container runtime Containerd://2.2.9 is not known to mount images"),
        (
            "v1.36.3",
            "containerd://1.7.27",
            "its container runtime is containerd://1.7.27, and image volumes need containerd 2.1",
        ),
        (
            "v1.36.3",
            "containerd://2.0.5-k3s1",
            "its container runtime is containerd://2.0.5-k3s1, and image volumes need containerd 2.1",
        ),
        ("v1.36.3", "cri-o://1.30.9", "its container runtime cri-o://1.30.9 is not known to mount images"),
        ("v1.36.3", "containerd://Unknown", "the version of its container runtime containerd://Unknown cannot be read"),
    ] {
        assert_eq!(obstacle(kubelet, runtime).as_deref(), Some(reason));
    }
}

#[test]
fn nodes_of_other_systems_do_not_count_and_unknown_ones_cannot() {
    assert_eq!(look_at(&node("a", NEW)), Look::Able);
    assert_eq!(look_at(&windows("a")), Look::Other);
    let mut nobody = node("a", NEW);
    nobody.status = None;
    assert_eq!(look_at(&nobody), Look::Unable("its kubelet has told nothing of itself".to_owned()));
    let mut behind_it = node("a", NEW);
    behind_it.metadata.labels = Some([("type".to_owned(), "virtual-kubelet".to_owned())].into());
    assert_eq!(look_at(&behind_it), Look::Unable("it is virtual: label type=virtual-kubelet".to_owned()));
    // A kubelet that has not said yet what it runs on.
    let mut without_system = node("a", ("", ""));
    if let Some(info) = without_system.status.as_mut().and_then(|status| status.node_info.as_mut()) {
        info.operating_system.clear();
    }
    assert!(matches!(look_at(&without_system), Look::Unable(_)));
}

#[test]
fn images_are_mounted_only_while_every_node_is_known_to_be_able_to() {
    let (mut fleet, present) = fleet();
    assert_eq!(present.get(), EntryDelivery::Copy);
    fleet.apply(Event::Init);
    fleet.apply(Event::InitApply(node("a", NEW)));
    assert_eq!(present.get(), EntryDelivery::Copy, "the list is not whole");
    fleet.apply(Event::InitApply(windows("w")));
    fleet.apply(Event::InitDone);
    assert_eq!((present.get(), present.gauge.get()), (EntryDelivery::ImageVolume, 1));
    fleet.apply(Event::Apply(node("b", OLD)));
    assert_eq!((present.get(), present.gauge.get()), (EntryDelivery::Copy, 0));
    fleet.apply(Event::Apply(node("b", NEW)));
    assert_eq!(present.get(), EntryDelivery::ImageVolume, "it was updated");
    fleet.apply(Event::Apply(node("c", OLD)));
    fleet.apply(Event::Delete(node("c", OLD)));
    assert_eq!(present.get(), EntryDelivery::ImageVolume, "it is gone");
    fleet.apply(Event::Delete(node("a", NEW)));
    fleet.apply(Event::Delete(node("b", NEW)));
    assert_eq!(present.get(), EntryDelivery::Copy, "no node is left that counts");
}

#[test]
fn what_may_be_outdated_does_not_count_until_the_nodes_are_listed_again() {
    let (mut fleet, present) = fleet();
    list(&mut fleet, &[node("a", NEW)]);
    assert_eq!(present.get(), EntryDelivery::ImageVolume);
    fleet.lose(Some(&watcher::Error::NoResourceVersion));
    assert_eq!(present.get(), EntryDelivery::Copy);
    assert!(fleet.is_warned);
    fleet.apply(Event::Init);
    fleet.apply(Event::InitApply(node("b", NEW)));
    assert_eq!(present.get(), EntryDelivery::Copy, "the new list is not whole");
    fleet.apply(Event::InitDone);
    assert_eq!((present.get(), fleet.nodes.len()), (EntryDelivery::ImageVolume, 1));
    assert!(!fleet.is_warned, "another outage is worth another warning");
}

#[test]
fn refusals_are_told_from_other_errors() {
    let status = |code| Box::new(Status::failure("no", "Forbidden").with_code(code));
    assert!(is_refusal(&watcher::Error::InitialListFailed(kube::Error::Api(status(403)))));
    assert!(is_refusal(&watcher::Error::WatchError(status(403))));
    assert!(!is_refusal(&watcher::Error::NoResourceVersion));
    assert!(!is_refusal(&watcher::Error::WatchStartFailed(kube::Error::LinesCodecMaxLineLengthExceeded)));
}

#[test]
fn operators_may_say_how_without_nodes_being_looked_at() {
    let gauge = IntGauge::new("present", "test").expect("a gauge");
    for (volume, delivery) in [
        (EntryVolume::Image, EntryDelivery::ImageVolume),
        (EntryVolume::Copy, EntryDelivery::Copy),
        (EntryVolume::Auto, EntryDelivery::Copy),
    ] {
        assert_eq!(PresentDelivery::new(volume, gauge.clone()).get(), delivery);
    }
}
