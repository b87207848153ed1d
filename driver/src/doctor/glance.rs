//! What of an examination costs next to nothing and changes nothing, to be looked at again and again.

use std::fmt;

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{Api, Client};
use penstock_objectstore::Transfer;
use penstock_spec::keys;

use super::findings::{self, Finding};
use super::{ANSWER_LIMIT, Read, bounded, get};
use crate::driver::Driver;

/// The cluster that is looked at.
#[derive(Clone)]
pub struct GlanceAt {
    /// How it is reached.
    pub client: Client,
    /// Namespace of runs that name none.
    pub namespace: String,
    /// Name of the `MutatingWebhookConfiguration`.
    pub webhook_configuration: String,
}

impl fmt::Debug for GlanceAt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client: _, namespace, webhook_configuration } = self;
        let mut shown = formatter.debug_struct("GlanceAt");
        shown
            .field("namespace", namespace)
            .field("webhook_configuration", webhook_configuration)
            .finish_non_exhaustive()
    }
}

/// Looks whether runs find their store, and on a cluster whether the webhook and the namespace are as they should be.
pub async fn glance(driver: &Driver, cluster: Option<&GlanceAt>) -> Vec<Finding> {
    match cluster {
        None => vec![look_at_store(driver.transfer(), driver.default_root()).await],
        Some(cluster) => Box::pin(look_at_cluster(driver.transfer(), cluster)).await,
    }
}

async fn look_at_cluster(transfer: &Transfer, at: &GlanceAt) -> Vec<Finding> {
    let GlanceAt { client, namespace, webhook_configuration } = at;
    let version = bounded(client.apiserver_version()).await;
    let mut found = vec![findings::version(&version)];
    if !matches!(version, Read::Found(_)) {
        return found;
    }
    let configurations: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let (configuration, read, settings) = tokio::join!(
        get(&configurations, webhook_configuration),
        get(&namespaces, namespace),
        get(&maps, keys::SETTINGS_CONFIG_MAP),
    );
    found.push(findings::webhook(&configuration, webhook_configuration));
    found.push(findings::authority(&configuration, webhook_configuration, penstock_spec::Timestamp::now()));
    found.push(findings::namespace(&read, namespace));
    let (finding, settings) = findings::settings(&settings);
    found.push(finding);
    if let Some(settings) = settings {
        found.push(look_at_store(transfer, &settings.default_root).await);
    }
    found
}

/// Looks below a root, as whoever shows what runs stored does.
async fn look_at_store(transfer: &Transfer, root: &str) -> Finding {
    let root = penstock_spec::uri::split_query(root).0;
    let look = async {
        let (store, key) = transfer.stores().open(root).map_err(|error| error.to_string())?;
        let prefix = if key.is_empty() { key } else { format!("{key}/") };
        match tokio::time::timeout(ANSWER_LIMIT, store.list(&prefix, None)).await {
            Ok(page) => page.map(drop).map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {} s", ANSWER_LIMIT.as_secs())),
        }
    };
    findings::readable(root, &look.await)
}
