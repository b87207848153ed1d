//! Where the driver looks for objects, and where the launchers of a namespace put them: two configurations that have to lead
//! to the same store. They may spell it differently, through a forwarded port for instance, so a difference is a hint.

use penstock_objectstore::StoreSettings;
use penstock_spec::keys;
use penstock_spec::settings::NamespaceSettings;
use penstock_spec::uri::ObjectUri;

/// Where the driver of this process looks for objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreEndpoints {
    s3: Option<String>,
    minio: Option<String>,
}

impl StoreEndpoints {
    /// Those of a driver's stores.
    pub fn of(stores: &StoreSettings) -> StoreEndpoints {
        let minio = stores.minio.as_ref().and_then(|minio| minio.endpoint.clone());
        StoreEndpoints { s3: stores.s3.endpoint.clone(), minio }
    }

    /// One for everything, as `--s3-endpoint` gives it.
    pub fn of_one(endpoint: Option<&str>) -> StoreEndpoints {
        let endpoint = endpoint.map(str::to_owned);
        StoreEndpoints { s3: endpoint.clone(), minio: endpoint }
    }

    /// How the endpoint for a URI differs from that of a namespace's settings; nothing where it does not, or where either
    /// leads elsewhere than to S3.
    pub fn difference(&self, settings: &NamespaceSettings, uri: &str) -> Option<String> {
        let uri = ObjectUri::parse(penstock_spec::uri::split_query(uri).0).ok()?;
        let own = match uri.scheme.as_str() {
            "s3" => self.s3.as_deref(),
            "minio" => self.minio.as_deref(),
            _ => return None,
        };
        let store = settings.stores.iter().find(|store| {
            let root =
                format!("{}://{}/{}", store.scheme, store.bucket.as_deref().unwrap_or(&uri.bucket), store.key_prefix);
            ObjectUri::parse(root.trim_end_matches('/')).is_ok_and(|root| uri.starts_with(&root))
        })?;
        let theirs = store.endpoint.as_deref();
        if own.map(normal) == theirs.map(normal) {
            return None;
        }
        let word = |endpoint: Option<&str>| endpoint.map_or_else(|| "AWS".to_owned(), without_password);
        let own = match (own, uri.scheme.as_str()) {
            (None, "minio") => "nowhere".to_owned(),
            _ => format!("at {}", word(own)),
        };
        Some(format!(
            "launchers of the namespace store {}://{} at {}, and the driver looks for it {own}. If these are not the same \
             store, make --s3-endpoint (PENSTOCK_S3_ENDPOINT) of the driver and the ConfigMap {} of the namespace agree",
            uri.scheme,
            uri.bucket,
            word(theirs),
            keys::KFP_LAUNCHER_CONFIG_MAP
        ))
    }
}

/// An endpoint without what may be spelled in more than one way.
fn normal(endpoint: &str) -> String {
    let endpoint = endpoint.trim().trim_end_matches('/').to_ascii_lowercase();
    let (scheme, rest) = endpoint.split_once("://").unwrap_or(("http", endpoint.as_str()));
    let host_end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(host_end);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port),
        _ => (authority, if scheme == "https" { "443" } else { "80" }),
    };
    // A Service has these names in a cluster.
    let host = host.trim_end_matches('.');
    let host = host.strip_suffix(".cluster.local").unwrap_or(host);
    let host = host.strip_suffix(".svc").unwrap_or(host);
    format!("{scheme}://{host}:{port}{path}")
}

/// An endpoint as it may be shown (T-07).
fn without_password(endpoint: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let (authority, path) = rest.split_at(end);
            format!("{scheme}://{}{path}", authority.rsplit('@').next().unwrap_or_default())
        }
        None => endpoint.rsplit('@').next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "minio://mlpipeline/v2/artifacts";

    fn difference(own: Option<&str>, theirs: &str) -> Option<String> {
        StoreEndpoints::of_one(own).difference(&NamespaceSettings::kfp_default(theirs), ROOT)
    }

    #[test]
    fn endpoints_that_differ_only_in_spelling_are_the_same() {
        for own in [
            "http://minio-service.kubeflow:9000",
            "http://minio-service.kubeflow:9000/",
            "HTTP://minio-service.kubeflow.svc:9000",
            "http://minio-service.kubeflow.svc.cluster.local.:9000",
        ] {
            assert_eq!(difference(Some(own), "http://minio-service.kubeflow:9000"), None, "{own}");
        }
        assert_eq!(difference(Some("https://s3.example"), "https://s3.example:443"), None);
    }

    #[test]
    fn stores_that_differ_are_both_named() {
        let text =
            difference(Some("http://u:secret@other:9000"), "http://minio-service.kubeflow:9000").expect("they differ");
        assert!(text.contains("minio://mlpipeline at http://minio-service.kubeflow:9000"), "{text}");
        assert!(text.contains("at http://other:9000") && !text.contains("secret"), "{text}");
        assert!(text.contains("--s3-endpoint") && text.contains("kfp-launcher"), "{text}");
        let text = difference(None, "http://minio-service.kubeflow:9000").expect("they differ");
        assert!(text.contains("looks for it nowhere"), "{text}");
        let settings = NamespaceSettings::kfp_default("http://minio-service.kubeflow:9000");
        assert_eq!(StoreEndpoints::of_one(None).difference(&settings, "s3://bucket/root"), None, "both AWS");
        let text =
            StoreEndpoints::of_one(Some("http://a:1")).difference(&settings, "s3://bucket/root").expect("they differ");
        assert!(text.contains("s3://bucket at AWS"), "{text}");
        assert_eq!(StoreEndpoints::of_one(None).difference(&settings, "file:///root"), None);
    }
}
