//! What the API server trusts: `caBundle` of the entries that name our Service in the MutatingWebhookConfiguration.
//! Certificates in it that are not ours stay, and so do all other entries.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhook, MutatingWebhookConfiguration};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::material::Facts;
use super::store::{RequestError, request};

const END: &str = "-----END CERTIFICATE-----";

/// The configuration, and which of its entries are ours.
#[derive(Debug)]
pub(super) struct Bundle {
    api: Api<MutatingWebhookConfiguration>,
    configuration: String,
    namespace: String,
    service: String,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// All is as it ought to be.
    Right,
    /// It was put right.
    Repaired,
    /// There is no such configuration.
    NoConfiguration,
    /// No entry names our Service.
    NoEntry,
}

impl Bundle {
    pub(super) fn new(client: Client, configuration: &str, namespace: &str, service: &str) -> Bundle {
        Bundle {
            api: Api::all(client),
            configuration: configuration.to_owned(),
            namespace: namespace.to_owned(),
            service: service.to_owned(),
        }
    }

    pub(super) fn api(&self) -> &Api<MutatingWebhookConfiguration> {
        &self.api
    }

    /// Whether all entries of ours trust an authority.
    pub(super) async fn has(&self, authority: &str) -> Result<bool, RequestError> {
        let Some(configuration) = self.read().await? else { return Ok(false) };
        let entries = self.entries(&configuration);
        Ok(!entries.is_empty() && entries.iter().all(|entry| text(entry).contains(authority.trim())))
    }

    /// Makes the entries of ours trust these authorities, and no other of ours.
    pub(super) async fn repair(&self, authorities: &[&str]) -> Result<Found, RequestError> {
        let Some(configuration) = self.read().await? else { return Ok(Found::NoConfiguration) };
        let entries = self.entries(&configuration);
        if entries.is_empty() {
            return Ok(Found::NoEntry);
        }
        let wrong: Vec<Value> = (entries.iter())
            .filter_map(|entry| {
                let bundle = wanted(&text(entry), authorities)?;
                Some(json!({"name": entry.name, "clientConfig": {"caBundle": BASE64.encode(bundle)}}))
            })
            .collect();
        if wrong.is_empty() {
            return Ok(Found::Right);
        }
        // Entries are merged by name. The version makes a change by somebody else since the reading a conflict.
        let version = configuration.metadata.resource_version.as_deref();
        let patch = Patch::Strategic(json!({"metadata": {"resourceVersion": version}, "webhooks": wrong}));
        let parameters = PatchParams::default();
        let asking = self.api.patch(&self.configuration, &parameters, &patch);
        request("patch", || self.shown(), asking).await?;
        Ok(Found::Repaired)
    }

    async fn read(&self) -> Result<Option<MutatingWebhookConfiguration>, RequestError> {
        request("read", || self.shown(), self.api.get_opt(&self.configuration)).await
    }

    fn entries<'a>(&self, configuration: &'a MutatingWebhookConfiguration) -> Vec<&'a MutatingWebhook> {
        let is_ours = |entry: &&MutatingWebhook| {
            let service = entry.client_config.service.as_ref();
            service.is_some_and(|service| service.name == self.service && service.namespace == self.namespace)
        };
        configuration.webhooks.iter().flatten().filter(is_ours).collect()
    }

    fn shown(&self) -> String {
        format!("MutatingWebhookConfiguration {}", self.configuration)
    }
}

fn text(entry: &MutatingWebhook) -> String {
    let bytes = entry.client_config.ca_bundle.as_ref().map(|bytes| bytes.0.as_slice()).unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a bundle ought to be, if it is not: ours, and whatever else is in it. What is no certificate goes.
fn wanted(there: &str, authorities: &[&str]) -> Option<String> {
    let mut bundle = String::new();
    let mut missing: Vec<&str> = authorities.iter().map(|authority| authority.trim()).collect();
    let mut has_stale = false;
    for block in there.split_inclusive(END).map(str::trim).filter(|block| !block.is_empty()) {
        let is_known = missing.iter().position(|authority| *authority == block);
        let is_foreign = || Facts::read(block).is_ok_and(|facts| !facts.is_our_authority());
        if let Some(known) = is_known {
            missing.remove(known);
        } else if !is_foreign() {
            has_stale = true;
            continue;
        }
        bundle.extend([block, "\n"]);
    }
    for authority in &missing {
        bundle.extend([authority, "\n"]);
    }
    (has_stale || !missing.is_empty()).then_some(bundle)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::CertificateTimes;
    use super::super::material::Authority;
    use super::*;

    fn authority() -> String {
        Authority::generate(Timestamp::now(), &CertificateTimes::default()).expect("generates").certificate
    }

    #[test]
    fn f20_a_bundle_is_repaired_and_what_is_foreign_stays() {
        let (old, new) = (authority(), authority());
        let foreign = rcgen::generate_simple_self_signed(vec!["other".to_owned()]).expect("generates").cert.pem();
        let both = wanted("", &[&new, &old]).expect("it is wiped");
        assert!(both.contains(new.trim()) && both.contains(old.trim()));
        assert_eq!(wanted(&both, &[&new, &old]), None);
        assert_eq!(wanted(&both, &[&old, &new]), None, "order does not matter");
        let mixed = format!("{both}{foreign}");
        assert_eq!(wanted(&mixed, &[&new, &old]), None);
        let later = wanted(&mixed, &[&new]).expect("the old one goes");
        assert!(later.contains(new.trim()) && later.contains(foreign.trim()) && !later.contains(old.trim()));
        let wiped = wanted(&foreign, &[&new]).expect("ours is missing");
        assert!(wiped.contains(new.trim()) && wiped.contains(foreign.trim()));
        assert_eq!(wanted("rubbish", &[&new]).expect("it is rubbish"), wanted("", &[&new]).expect("it is wiped"));
        let doubled = format!("{new}{new}");
        assert_eq!(wanted(&doubled, &[&new]), wanted("", &[&new]));
    }
}
