//! A namespace's settings, from KFP's ConfigMap `kfp-launcher` and what stands on the Namespace.
//!
//! Pure. What cannot be used is named: a *problem* is something that does not work as it is written, a *warning* is
//! something that is ignored. A store that cannot be read is left out rather than guessed, so that URIs of its scheme
//! are refused; the others work, as they do in KFP.

mod provider;
mod root;
mod run_as;
mod section;

use std::collections::BTreeMap;

use penstock_spec::keys;
use penstock_spec::limits::Limits;
use penstock_spec::parse::read_yaml;
use penstock_spec::settings::{
    DEFAULT_ROOT, NamespaceSettings, ObjectKey, SETTINGS_VERSION, StoreSetting, TaskSettings,
};
use penstock_spec::uri::{ObjectUri, split_query};
use serde_json::Value;
use thiserror::Error;

pub use run_as::RunAsConfig;
use section::Section;

/// Schemes that a store can have.
const SCHEMES: [&str; 2] = ["minio", "s3"];
/// Bytes of `providers`: what a ConfigMap holds at most.
const MAX_PROVIDERS: usize = 1 << 20;

/// What is configured for a namespace.
#[derive(Debug, Clone, Copy)]
pub struct NamespaceConfig<'a> {
    /// Data of KFP's ConfigMap; none when the namespace has no such ConfigMap, which KFP treats like an empty one.
    pub kfp_launcher: Option<&'a BTreeMap<String, String>>,
    /// Value of [`keys::ANNOTATION_ALLOWED_PREFIXES`] on the Namespace.
    pub allowed_prefixes: Option<&'a str>,
    /// What the Namespace says about who tasks run as.
    pub run_as: RunAsConfig<'a>,
    /// Value of [`keys::ANNOTATION_STORE_CA`] on the Namespace.
    pub store_ca: Option<&'a str>,
    /// URL of the store that `minio://` means where nothing else is configured.
    pub default_endpoint: &'a str,
    /// Authorities of the stores' certificates where the Namespace names none.
    pub default_store_ca: Option<&'a ObjectKey>,
}

/// Settings, and what there is to say about where they came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadSettings {
    /// The settings.
    pub settings: NamespaceSettings,
    /// What does not work as it is written.
    pub problems: Vec<String>,
    /// What is ignored.
    pub warnings: Vec<String>,
}

/// The ConfigMap cannot be read at all: no store of the namespace can be told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("ConfigMap kfp-launcher, key providers: {reason}")]
pub struct LauncherConfigError {
    /// What is wrong with it.
    pub reason: String,
}

/// Reads a namespace's settings.
pub fn read_settings(config: &NamespaceConfig<'_>) -> Result<ReadSettings, LauncherConfigError> {
    let empty = BTreeMap::new();
    let data = config.kfp_launcher.unwrap_or(&empty);
    let text = |key: &str| data.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    for key in data.keys().filter(|key| *key != keys::KFP_DEFAULT_ROOT && *key != keys::KFP_PROVIDERS) {
        warnings.push(format!("ConfigMap kfp-launcher: unknown key {key} is ignored"));
    }
    let default_root = text(keys::KFP_DEFAULT_ROOT).unwrap_or(DEFAULT_ROOT);
    let mut stores = Vec::new();
    match root::store_of_query(default_root, &mut warnings) {
        Ok(store) => stores.extend(store),
        Err(reason) => problems.push(at_root(default_root, &reason)),
    }
    let providers = read_providers(text(keys::KFP_PROVIDERS))?;
    stores.extend(provider_stores(providers, config.default_endpoint, &mut problems, &mut warnings));
    // Buckets and prefixes of their own come before what holds for any bucket, whatever the scheme.
    stores.sort_by_key(|store| store.bucket.is_none());
    let root_bucket = match root::bucket(default_root) {
        Ok(bucket) => Some(bucket),
        Err(reason) => {
            problems.push(at_root(default_root, &reason));
            None
        }
    };
    let allowed_prefixes = match config.allowed_prefixes {
        Some(list) => read_prefixes(list, &mut problems),
        None => root_bucket.into_iter().collect(),
    };
    let run_as = run_as::read(&config.run_as, &mut problems);
    let store_ca = read_store_ca(config, &mut problems);
    problems.dedup();
    let settings = NamespaceSettings {
        version: SETTINGS_VERSION,
        default_root: default_root.to_owned(),
        stores,
        store_ca,
        allowed_prefixes,
        tasks: TaskSettings { run_as },
    };
    Ok(ReadSettings { settings, problems, warnings })
}

fn at_root(root: &str, reason: &str) -> String {
    format!("ConfigMap kfp-launcher, key defaultPipelineRoot: {} cannot be used: {reason}", split_query(root).0)
}

/// The mapping of providers, if there is one.
fn read_providers(text: Option<&str>) -> Result<Option<Value>, LauncherConfigError> {
    let Some(text) = text else { return Ok(None) };
    let refuse = |reason: String| Err(LauncherConfigError { reason });
    if text.len() > MAX_PROVIDERS {
        return refuse(format!("it has {} bytes, more than the {MAX_PROVIDERS} that are allowed", text.len()));
    }
    let limits = Limits { nodes: 100_000, alias_nodes: 10_000, depth: 16, ..Limits::default() };
    let mut documents = read_yaml(text, &limits).map_err(|error| LauncherConfigError { reason: error.to_string() })?;
    if documents.len() > 1 {
        return refuse(format!("it holds {} YAML documents, and only one is meant", documents.len()));
    }
    match documents.pop() {
        None | Some(Value::Null) => Ok(None),
        Some(value @ Value::Object(_)) => Ok(Some(value)),
        Some(_) => refuse("it is not a mapping of providers (minio, s3)".to_owned()),
    }
}

/// The stores of all schemes, in the order of precedence within each.
fn provider_stores(
    providers: Option<Value>,
    default_endpoint: &str,
    problems: &mut Vec<String>,
    warnings: &mut Vec<String>,
) -> Vec<StoreSetting> {
    let providers = providers.unwrap_or(Value::Null);
    let mut section = match Section::open("providers", &providers) {
        Ok(section) => section.unwrap_or_default(),
        Err(problem) => {
            problems.push(about(&problem));
            return Vec::new();
        }
    };
    let mut stores = Vec::new();
    for scheme in SCHEMES {
        let configured = section.section(scheme);
        match configured.and_then(|configured| provider::stores(scheme, configured, warnings)) {
            Ok(Some(configured)) => stores.extend(configured),
            Ok(None) if scheme == "minio" => stores.push(StoreSetting::kfp_bundled(default_endpoint)),
            Ok(None) => stores.push(StoreSetting::from_surroundings(scheme)),
            Err(problem) => {
                problems.push(format!("{}; {scheme}:// URIs are refused until it is corrected", about(&problem)));
            }
        }
    }
    if matches!(section.take("gs"), Ok(Some(_)) | Err(_)) {
        warnings.push(about(
            "providers.gs is ignored: Google Cloud Storage is not supported; its S3 interface is, as a provider s3 with \
             endpoint storage.googleapis.com",
        ));
    }
    warnings.extend(section.unknown().map(|path| about(&format!("unknown provider {path} is ignored"))));
    stores
}

/// Whether this is the URL of a server, as settings of ours name it.
pub fn is_endpoint_url(url: &str) -> bool {
    url.contains("://") && provider::endpoint_url(url, false).is_ok()
}

fn about(text: &str) -> String {
    format!("ConfigMap kfp-launcher: {text}")
}

/// The URIs of our annotation.
fn read_prefixes(list: &str, problems: &mut Vec<String>) -> Vec<String> {
    let mut prefixes = Vec::new();
    for prefix in list.split([',', '\n']).map(str::trim).filter(|prefix| !prefix.is_empty()) {
        let parsed = ObjectUri::parse(prefix).map_err(|error| error.to_string()).and_then(|uri| {
            if SCHEMES.contains(&uri.scheme.as_str()) { Ok(uri) } else { Err("only s3:// and minio:// are".to_owned()) }
        });
        match parsed {
            Ok(uri) => prefixes.push(uri.to_string()),
            Err(reason) => problems
                .push(format!("annotation {}: {prefix:?} is not allowed: {reason}", keys::ANNOTATION_ALLOWED_PREFIXES)),
        }
    }
    prefixes
}

/// The authorities of the stores' certificates. A value that cannot be understood counts as absent.
fn read_store_ca(config: &NamespaceConfig<'_>, problems: &mut Vec<String>) -> Option<ObjectKey> {
    let named = config.store_ca.map(|text| ObjectKey::parse_ca(text.trim())).transpose().unwrap_or_else(|reason| {
        problems.push(format!("annotation {}: it is ignored: {reason}", keys::ANNOTATION_STORE_CA));
        None
    });
    named.or_else(|| config.default_store_ca.cloned())
}

#[cfg(test)]
mod tests;
