//! The default pipeline root: which bucket it is in, and the store that its query describes
//! (`s3://bucket/prefix?endpoint=host:port&region=r`).

use penstock_spec::settings::{StoreCredentials, StoreSetting};
use penstock_spec::uri::{ObjectUri, split_query};

use super::provider::endpoint_url;
use super::{SCHEMES, about};

/// The root's bucket, as a URI.
pub(super) fn bucket(root: &str) -> Result<String, String> {
    let root = parse(root)?;
    Ok(format!("{}://{}", root.scheme, root.bucket))
}

fn parse(root: &str) -> Result<ObjectUri, String> {
    let uri = ObjectUri::parse(split_query(root).0).map_err(|error| error.to_string())?;
    match uri.scheme.as_str() {
        scheme if SCHEMES.contains(&scheme) => Ok(uri),
        "gs" => Err("Google Cloud Storage is not supported; its S3 interface is, by an s3:// root".to_owned()),
        scheme => Err(format!("a cluster keeps artifacts under s3:// or minio://, not {scheme}://")),
    }
}

/// The store of everything below the root, if the root has a query. As in KFP, credentials are then those of the
/// surroundings: a Secret of `providers` is never sent to a host that stands in a root.
pub(super) fn store_of_query(root: &str, warnings: &mut Vec<String>) -> Result<Option<StoreSetting>, String> {
    let (_, Some(query)) = split_query(root) else { return Ok(None) };
    let uri = parse(root)?;
    let mut store =
        StoreSetting { bucket: Some(uri.bucket), key_prefix: uri.key, ..StoreSetting::from_surroundings(&uri.scheme) };
    let (mut endpoint, mut disable_ssl) = (None, false);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.to_ascii_lowercase().as_str() {
            "endpoint" => endpoint = Some(value.into_owned()).filter(|value| !value.is_empty()),
            "region" => store.region = Some(value.into_owned()).filter(|value| !value.is_empty()),
            "disablessl" | "disable_https" => disable_ssl = flag(&name, &value)?,
            "s3forcepathstyle" | "use_path_style" => store.path_style = Some(flag(&name, &value)?),
            "anonymous" => {
                if flag(&name, &value)? {
                    store.credentials = StoreCredentials::Anonymous;
                }
            }
            // Which of two versions of an SDK KFP uses.
            "awssdk" => {}
            _ => warnings.push(about(&format!("unknown parameter {name} of defaultPipelineRoot is ignored"))),
        }
    }
    if let Some(endpoint) = endpoint {
        store.endpoint = endpoint_url(&endpoint, disable_ssl).map_err(|reason| format!("its endpoint {reason}"))?;
    }
    Ok(Some(store))
}

/// A yes or no, as KFP reads it.
fn flag(name: &str, value: &str) -> Result<bool, String> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("its parameter {name} is neither true nor false")),
    }
}
