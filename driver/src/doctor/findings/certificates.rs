//! Whether the cluster can trust what the webhook serves.

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use penstock_spec::Timestamp;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;

use super::super::Read;
use super::{Finding, FindingState, bad, finding, good, unknown};

/// A certificate that ends earlier than this should have been renewed.
const EXPIRY_WARNING_SECONDS: i64 = 6 * 3600;
/// Key of a Secret's certificate.
const LEAF: &str = "tls.crt";
/// Tells that cert-manager looks after the certificate, and names it.
const CERT_MANAGER: &str = "cert-manager.io/inject-ca-from";

/// What the webhook serves, and where it is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Served<'a> {
    pub(crate) secret: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) service: &'a str,
}

/// The authorities that the cluster trusts.
pub(crate) fn authority(read: &Read<MutatingWebhookConfiguration>, name: &str, now: Timestamp) -> Finding {
    const SUBJECT: &str = "webhook authority";
    let Read::Found(configuration) = read else {
        return finding(SUBJECT, FindingState::Unknown, format!("there is no {name} to read it from"), None);
    };
    let pems = pems(bundle(configuration));
    let certificates: Vec<X509Certificate<'_>> = pems.iter().filter_map(|pem| pem.parse_x509().ok()).collect();
    let Some(last) = certificates.iter().map(end).max() else {
        return bad(SUBJECT, "the caBundle holds no certificate", "see the log of the webhook");
    };
    let count = match certificates.len() {
        1 => "1 certificate".to_owned(),
        count => format!("{count} certificates"),
    };
    let shown = format!("{count} in the bundle, the last is valid until {}", instant(last));
    match last.saturating_sub(now.as_second()) {
        ..=0 => bad(SUBJECT, shown, "all have expired: see the log of the webhook, restart it"),
        1..EXPIRY_WARNING_SECONDS => {
            finding(SUBJECT, FindingState::Warning, shown, Some("it should have been renewed: see the webhook's log"))
        }
        _ => good(SUBJECT, shown),
    }
}

/// The certificate that the webhook shows to the cluster: what is wrong with it keeps every task's Pod from being made.
pub(crate) fn served(
    secret: &Read<Secret>,
    configuration: &Read<MutatingWebhookConfiguration>,
    what: Served<'_>,
    now: Timestamp,
) -> Finding {
    const SUBJECT: &str = "webhook certificate";
    let Served { secret: name, namespace, service } = what;
    let configuration = if let Read::Found(configuration) = configuration { Some(configuration) } else { None };
    let secret = match secret {
        Read::Found(secret) => secret,
        Read::Failed(reason) => return unknown(SUBJECT, reason),
        Read::Missing => {
            let by_others = configuration.and_then(|it| it.metadata.annotations.as_ref()?.get(CERT_MANAGER));
            let shown = format!("there is no Secret {namespace}/{name}");
            return match by_others {
                Some(certificate) => {
                    let remedy =
                        format!("cert-manager keeps it: see its Certificate {certificate}, or name its Secret here");
                    finding(SUBJECT, FindingState::Unknown, shown, Some(&remedy))
                }
                None => bad(
                    SUBJECT,
                    shown,
                    "the webhook fills it and cannot make it: apply the manifests (kubectl apply -k)",
                ),
            };
        }
    };
    let text = secret.data.as_ref().and_then(|data| data.get(LEAF)).map_or(&[][..], |bytes| &bytes.0);
    let pems = pems(text);
    let Some(leaf) = pems.first().and_then(|pem| pem.parse_x509().ok()) else {
        let shown = format!("the Secret {namespace}/{name} holds no certificate ({LEAF})");
        return bad(SUBJECT, shown, "the webhook makes one when it starts: see its log");
    };
    judge(SUBJECT, &leaf, configuration, &format!("{service}.{namespace}.svc"), now)
}

fn judge(
    subject: &str,
    leaf: &X509Certificate<'_>,
    configuration: Option<&MutatingWebhookConfiguration>,
    host: &str,
    now: Timestamp,
) -> Finding {
    let names = names(leaf);
    if !names.iter().any(|name| name == host) {
        let shown = format!("it is for {}, and the cluster calls {host}", names.join(", "));
        return bad(subject, shown, "check --webhook-service of the webhook and of this command, and its certificate");
    }
    if let Some(configuration) = configuration {
        let authorities = self::pems(bundle(configuration));
        let signs = |pem: &Pem| pem.parse_x509().is_ok_and(|authority| authority.subject() == leaf.issuer());
        if !authorities.iter().any(signs) {
            let shown = format!("the caBundle lacks the authority that signed it ({})", leaf.issuer());
            let remedy = "the webhook writes its authority there: see its log, and whether GitOps puts an old one back";
            return bad(subject, shown, remedy);
        }
    }
    let (start, end) = (leaf.validity().not_before.timestamp(), end(leaf));
    let shown = format!("it is for {host}, from {} until {}", instant(start), instant(end));
    let now = now.as_second();
    match end.saturating_sub(now) {
        _ if now < start => bad(subject, shown, "it is not valid yet: compare the clocks of webhook and cluster"),
        ..=0 => bad(subject, shown, "it has expired: see the log of the webhook, restart it"),
        1..EXPIRY_WARNING_SECONDS => {
            finding(subject, FindingState::Warning, shown, Some("it should have been renewed: see the webhook's log"))
        }
        _ => good(subject, shown),
    }
}

fn bundle(configuration: &MutatingWebhookConfiguration) -> &[u8] {
    let hook = configuration.webhooks.as_deref().unwrap_or_default().first();
    hook.and_then(|hook| hook.client_config.ca_bundle.as_ref()).map_or(&[], |bundle| &bundle.0)
}

fn pems(text: &[u8]) -> Vec<Pem> {
    Pem::iter_from_buffer(text).flatten().collect()
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
    let dns =
        |name: &GeneralName<'_>| if let GeneralName::DNSName(name) = name { Some((*name).to_owned()) } else { None };
    names.iter().filter_map(dns).collect()
}

fn end(certificate: &X509Certificate<'_>) -> i64 {
    certificate.validity().not_after.timestamp()
}

fn instant(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| "an odd time".to_owned(), |at| at.to_string())
}
