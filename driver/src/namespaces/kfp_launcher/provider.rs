//! One provider of `kfp-launcher`: the default of its scheme, and what differs for certain buckets and prefixes.

use penstock_spec::object_name::is_object_name;
use penstock_spec::settings::{StoreCredentials, StoreSetting};
use penstock_spec::uri::ObjectUri;

use super::about;
use super::section::Section;

/// KFP's number of tries of one request.
const KFP_TRIES: u32 = 5;

/// How a store is reached; what a more special place does not say, it takes from the default.
#[derive(Debug, Clone, Default)]
struct Access {
    endpoint: Option<String>,
    region: Option<String>,
    disable_ssl: Option<bool>,
    path_style: Option<bool>,
    tries: Option<u32>,
}

/// The stores of a provider, the special ones first; none where nothing is configured.
pub(super) fn stores(
    scheme: &str,
    provider: Option<Section<'_>>,
    warnings: &mut Vec<String>,
) -> Result<Option<Vec<StoreSetting>>, String> {
    let Some(mut provider) = provider else { return Ok(None) };
    let path = provider.path().to_owned();
    let default = provider.section("default")?;
    let overrides = provider.list("overrides")?;
    warn_of_unknown(provider, warnings);
    let mut default = match (default, &overrides) {
        (Some(default), _) => default,
        (None, None) => return Ok(None),
        (None, Some(_)) => return Err(format!("{path}.default.credentials is missing")),
    };
    let general = Access::read(&mut default)?;
    let credentials = read_credentials(&mut default, warnings)?;
    let place = default.path().to_owned();
    warn_of_unknown(default, warnings);
    let mut stores = Vec::new();
    for mut special in overrides.unwrap_or_default() {
        let place = special.path().to_owned();
        let access = Access::read(&mut special)?.or(&general);
        let bucket = special.text("bucketName")?;
        let key_prefix = special.text("keyPrefix")?.unwrap_or_default().trim_matches('/').to_owned();
        let credentials = read_credentials(&mut special, warnings)?;
        warn_of_unknown(special, warnings);
        let Some(bucket) = bucket else {
            warnings.push(about(&format!("{place} is ignored: it names no bucketName")));
            continue;
        };
        ObjectUri::parse(&format!("{scheme}://{bucket}/{key_prefix}"))
            .map_err(|error| format!("{place} names no usable place: {error}"))?;
        stores.push(StoreSetting { bucket: Some(bucket), key_prefix, ..access.store(scheme, &place, credentials)? });
    }
    stores.push(general.store(scheme, &place, credentials)?);
    Ok(Some(stores))
}

impl Access {
    fn read(section: &mut Section<'_>) -> Result<Access, String> {
        Ok(Access {
            endpoint: section.text("endpoint")?,
            region: section.text("region")?,
            disable_ssl: section.flag("disableSSL")?,
            path_style: section.flag("forcePathStyle")?,
            tries: section.count("maxRetries")?,
        })
    }

    fn or(self, general: &Access) -> Access {
        Access {
            endpoint: self.endpoint.or_else(|| general.endpoint.clone()),
            region: self.region.or_else(|| general.region.clone()),
            disable_ssl: self.disable_ssl.or(general.disable_ssl),
            path_style: self.path_style.or(general.path_style),
            tries: self.tries.or(general.tries),
        }
    }

    fn store(&self, scheme: &str, place: &str, credentials: StoreCredentials) -> Result<StoreSetting, String> {
        let endpoint = match &self.endpoint {
            Some(endpoint) => endpoint_url(endpoint, self.disable_ssl.unwrap_or(false))
                .map_err(|reason| format!("{place}.endpoint {reason}"))?,
            None => None,
        };
        Ok(StoreSetting {
            endpoint,
            region: self.region.clone(),
            path_style: Some(self.path_style.unwrap_or(true)),
            // Zero leaves the number to the SDK, as in KFP.
            request_tries: Some(self.tries.unwrap_or(KFP_TRIES)).filter(|tries| *tries > 0),
            credentials,
            ..StoreSetting::from_surroundings(scheme)
        })
    }
}

/// `host:port`, or a URL, as the URL of a server; none for AWS's general endpoint, which the region replaces.
pub(super) fn endpoint_url(endpoint: &str, disable_ssl: bool) -> Result<Option<String>, &'static str> {
    let (scheme, address) = match endpoint.split_once("://") {
        Some((scheme, address)) => (scheme.to_ascii_lowercase(), address),
        None if disable_ssl => ("http".to_owned(), endpoint),
        None => ("https".to_owned(), endpoint),
    };
    if scheme != "http" && scheme != "https" {
        return Err("is neither a host and port nor an http:// or https:// URL");
    }
    let address = address.trim_end_matches('/');
    if address.is_empty() || !address.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]/".contains(&byte)) {
        return Err("holds something that is not part of a host, port or path; a user and a query are not allowed");
    }
    let host = address.split(['/', ':']).next().unwrap_or_default();
    if scheme == "https" && host.eq_ignore_ascii_case("s3.amazonaws.com") {
        return Ok(None);
    }
    Ok(Some(format!("{scheme}://{address}")))
}

fn read_credentials(owner: &mut Section<'_>, warnings: &mut Vec<String>) -> Result<StoreCredentials, String> {
    let place = format!("{}.credentials", owner.path());
    let Some(mut section) = owner.section("credentials")? else { return Err(format!("{place} is missing")) };
    let from_env = section.flag("fromEnv")?.unwrap_or(false);
    let secret = section.section("secretRef")?;
    warn_of_unknown(section, warnings);
    if from_env {
        return Ok(StoreCredentials::Environment);
    }
    let Some(mut secret) = secret else {
        return Err(format!("{place} has neither fromEnv: true nor a secretRef"));
    };
    let mut text = |name: &str, is_valid: fn(&str) -> bool| match secret.text(name)? {
        Some(text) if is_valid(&text) => Ok(text),
        Some(text) => Err(format!("{place}.secretRef.{name} {text:?} is not a name that Kubernetes allows")),
        None => Err(format!("{place}.secretRef.{name} is missing")),
    };
    let credentials = StoreCredentials::Secret {
        name: text("secretName", is_object_name)?,
        access_key: text("accessKeyKey", is_secret_key)?,
        secret_key: text("secretKeyKey", is_secret_key)?,
    };
    warn_of_unknown(secret, warnings);
    Ok(credentials)
}

/// Whether a Secret can have this key. The keys become names of files.
fn is_secret_key(key: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    key.len() <= 253 && key != "." && !key.starts_with("..") && key.bytes().all(allowed)
}

fn warn_of_unknown(section: Section<'_>, warnings: &mut Vec<String>) {
    warnings.extend(section.unknown().map(|path| about(&format!("unknown field {path} is ignored"))));
}
