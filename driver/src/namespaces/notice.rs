//! Tells the people of a namespace, by an Event on it, what they must know.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube_runtime::events::{Event, EventType, Recorder, Reporter};
use penstock_spec::keys;

/// Bytes of an Event's text that the API server takes, less what we put around it.
const MAX_NOTE: usize = 1000;

/// An Event on a Namespace. It is stored in that namespace, where its people can read it.
pub(super) async fn publish(
    client: Client,
    instance: &str,
    namespace: &str,
    uid: Option<String>,
    text: &[String],
) -> kube::Result<()> {
    let reporter = Reporter { controller: "penstock-driver".to_owned(), instance: Some(instance.to_owned()) };
    let related = |kind: &str, name: &str, uid| ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some(kind.to_owned()),
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        uid,
        ..ObjectReference::default()
    };
    let event = Event {
        type_: EventType::Warning,
        reason: "NamespaceConfiguration".to_owned(),
        note: Some(shortened(&text.join("\n"))),
        action: "Reconcile".to_owned(),
        secondary: Some(related("ConfigMap", keys::KFP_LAUNCHER_CONFIG_MAP, None)),
    };
    // A recorder of its own each time: one that remembers earlier Events would repeat the text of the first.
    Recorder::new(client, reporter).publish(&event, &related("Namespace", namespace, uid)).await
}

fn shortened(text: &str) -> String {
    if text.len() <= MAX_NOTE {
        return text.to_owned();
    }
    format!("{} ...", &text[..text.floor_char_boundary(MAX_NOTE)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i14_long_texts_are_cut_between_characters() {
        let text = "ä".repeat(2000);
        let short = shortened(&text);
        assert!(short.len() <= 1024 && short.ends_with("ä ..."), "{}", short.len());
        assert_eq!(shortened("short"), "short");
    }
}
