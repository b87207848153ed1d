//! What each namespace is set to, in memory: a watch of the ConfigMaps that the driver writes.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use kube_runtime::WatchStreamExt;
use kube_runtime::watcher::{self, Event, watcher};
use penstock_runtime::health::Condition;
use penstock_spec::keys;
use penstock_spec::settings::{NamespaceSettings, SETTINGS_VERSION};
use tracing::{info, warn};

use crate::metrics::WebhookMetrics;

/// What is known of a namespace.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup {
    /// Its settings.
    Known(Arc<NamespaceSettings>),
    /// There are some, and why they cannot be used.
    Broken(String),
    /// Nothing.
    Unknown,
}

/// Settings by namespace. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct SettingsMap {
    namespaces: Arc<RwLock<HashMap<String, Lookup>>>,
}

impl SettingsMap {
    /// What is known of a namespace.
    pub fn get(&self, namespace: &str) -> Lookup {
        let namespaces = self.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        namespaces.get(namespace).cloned().unwrap_or(Lookup::Unknown)
    }

    /// Sets a namespace's settings, as they stand in its ConfigMap.
    pub fn set(&self, namespace: &str, text: Option<&str>) {
        self.change(|namespaces| {
            namespaces.insert(namespace.to_owned(), read(namespace, text));
        });
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<String, Lookup>)) {
        change(&mut self.namespaces.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn known(&self) -> usize {
        let namespaces = self.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        namespaces.values().filter(|lookup| matches!(lookup, Lookup::Known(_))).count()
    }
}

fn read(namespace: &str, text: Option<&str>) -> Lookup {
    let lookup = match text.map(serde_json::from_str::<NamespaceSettings>) {
        None => Lookup::Broken("the key is missing".to_owned()),
        Some(Err(error)) => Lookup::Broken(error.to_string()),
        Some(Ok(settings)) if settings.version > SETTINGS_VERSION => Lookup::Broken(format!(
            "they are of version {}, and this webhook knows versions up to {SETTINGS_VERSION}: update it",
            settings.version
        )),
        Some(Ok(settings)) => Lookup::Known(Arc::new(settings)),
    };
    if let Lookup::Broken(reason) = &lookup {
        warn!(namespace, reason, "the namespace's settings cannot be used");
    }
    lookup
}

/// Keeps the map filled. Ends only when the watch ends, which it does not by itself.
pub async fn watch(client: Client, map: SettingsMap, condition: Condition, metrics: WebhookMetrics) {
    let api: Api<ConfigMap> = Api::all(client);
    // By name, so that a role can allow this name only.
    let config = watcher::Config::default().fields(&format!("metadata.name={}", keys::SETTINGS_CONFIG_MAP));
    condition.set_waiting("the namespaces' settings were not listed yet");
    follow(watcher(api, config).default_backoff(), map, condition, metrics).await;
}

async fn follow(
    events: impl Stream<Item = watcher::Result<Event<ConfigMap>>>,
    map: SettingsMap,
    condition: Condition,
    metrics: WebhookMetrics,
) {
    let mut events = std::pin::pin!(events);
    let (mut listed, mut is_filled) = (HashMap::new(), false);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                metrics.settings_last_event.set(Timestamp::now().as_duration().as_secs_f64());
                let is_whole = matches!(event, Event::InitDone);
                apply(event, &mut listed, &map);
                metrics.settings_namespaces.set(i64::try_from(map.known()).unwrap_or(i64::MAX));
                if is_whole && !is_filled {
                    is_filled = true;
                    info!(namespaces = map.known(), "the namespaces' settings are known");
                    condition.set_ready();
                }
            }
            Err(error) => {
                let error = penstock_runtime::logs::chain(&error);
                warn!(error, "cannot watch ConfigMaps {} of all namespaces; trying again", keys::SETTINGS_CONFIG_MAP);
                if !is_filled {
                    condition.set_waiting(format!("cannot list ConfigMaps {}: {error}", keys::SETTINGS_CONFIG_MAP));
                }
            }
        }
    }
}

/// `listed` holds what a list in progress has given so far; it takes the map's place when the list is whole.
fn apply(event: Event<ConfigMap>, listed: &mut HashMap<String, Lookup>, map: &SettingsMap) {
    let place = |object: &ConfigMap| object.metadata.namespace.clone().unwrap_or_default();
    let text = |object: &ConfigMap| object.data.as_ref().and_then(|data| data.get(keys::POD_SETTINGS_FILE).cloned());
    match event {
        Event::Init => listed.clear(),
        Event::InitApply(object) => {
            let namespace = place(&object);
            let lookup = read(&namespace, text(&object).as_deref());
            listed.insert(namespace, lookup);
        }
        Event::InitDone => map.change(|namespaces| *namespaces = std::mem::take(listed)),
        Event::Apply(object) => map.set(&place(&object), text(&object).as_deref()),
        Event::Delete(object) => map.change(|namespaces| {
            namespaces.remove(&place(&object));
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn config_map(namespace: &str, text: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.namespace = Some(namespace.to_owned());
        object.data = Some(BTreeMap::from([(keys::POD_SETTINGS_FILE.to_owned(), text.to_owned())]));
        object
    }

    fn good() -> String {
        serde_json::to_string(&NamespaceSettings::kfp_default("http://s3:9000")).expect("JSON")
    }

    #[test]
    fn f03_a_list_takes_the_place_of_what_was_known() {
        let (map, mut listed) = (SettingsMap::default(), HashMap::new());
        let mut tell = |event| apply(event, &mut listed, &map);
        tell(Event::Init);
        tell(Event::InitApply(config_map("a", &good())));
        assert_eq!(map.get("a"), Lookup::Unknown);
        tell(Event::InitDone);
        assert!(matches!(map.get("a"), Lookup::Known(_)));
        tell(Event::Apply(config_map("b", "{}")));
        assert!(matches!(map.get("b"), Lookup::Broken(_)));
        tell(Event::Init);
        tell(Event::InitApply(config_map("b", &good())));
        assert!(matches!(map.get("a"), Lookup::Known(_)), "known until the new list is whole");
        tell(Event::InitDone);
        assert_eq!((map.get("a"), map.known()), (Lookup::Unknown, 1));
        tell(Event::Delete(config_map("b", "")));
        assert_eq!(map.get("b"), Lookup::Unknown);
    }

    #[test]
    fn t19_settings_that_cannot_be_read_are_kept_with_the_reason() {
        let map = SettingsMap::default();
        let newer = good().replace("\"version\":1", "\"version\":9");
        for (text, reason) in [(None, "missing"), (Some("[]"), "invalid"), (Some(&*newer), "version 9")] {
            map.set("a", text);
            let Lookup::Broken(told) = map.get("a") else { panic!("{text:?}") };
            assert!(told.contains(reason), "{told}");
        }
    }
}
