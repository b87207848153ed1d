//! The registry: which store a URI is in. Endpoint and credential come as a pair from the settings; nothing in a URI
//! chooses a host (T-08).

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use penstock_spec::uri::{ObjectUri, relative_path_of_key};

use crate::{
    error::{ErrorKind, StoreError},
    local::LocalStore,
    memory::MemoryStore,
    observe::{ObservedStore, StoreObserver},
    s3::{S3Connection, S3Settings, S3Store},
    store::ObjectStore,
};

/// Buckets that one registry keeps open. A connection is shared by the buckets of an endpoint, so an entry is small.
const MAX_BUCKETS: usize = 10_000;

/// Which stores there are.
#[derive(Debug, Clone, Default)]
pub struct StoreSettings {
    /// What `file://` may reach. Nothing by default.
    pub local: LocalAccess,
    /// Where `s3://` leads.
    pub s3: S3Settings,
    /// Whether `s3://` URIs that no override covers are refused, instead of leading to where `s3` says (T-08).
    pub only_overrides: bool,
    /// Where `minio://` leads; without it such URIs are refused.
    pub minio: Option<S3Settings>,
    /// Settings of certain buckets and prefixes; the first that matches is taken.
    pub overrides: Vec<S3Override>,
    /// Is told of each call of S3.
    pub observer: Option<Arc<dyn StoreObserver>>,
}

/// What `file://` may reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LocalAccess {
    /// Nothing: a cluster has no local files to offer.
    #[default]
    Refused,
    /// The whole file system, with the rights of this process: a laptop.
    Anywhere,
    /// Only what lies below these directories.
    Beneath(Vec<PathBuf>),
}

/// Settings for one bucket, or a prefix in it.
#[derive(Debug, Clone)]
pub struct S3Override {
    /// `s3` or `minio`.
    pub scheme: String,
    /// The bucket.
    pub bucket: String,
    /// Whole segments at the beginning of the key; empty for all keys.
    pub key_prefix: String,
    /// Where it is.
    pub settings: S3Settings,
}

/// Finds the store of a URI, and keeps stores open.
#[derive(Debug)]
pub struct Stores {
    local: LocalAccess,
    s3: Option<Arc<S3Connection>>,
    minio: Option<Arc<S3Connection>>,
    overrides: Vec<(ObjectUri, Arc<S3Connection>)>,
    observer: Option<Arc<dyn StoreObserver>>,
    open: Mutex<HashMap<StoreId, Arc<dyn ObjectStore>>>,
}

/// Scheme, bucket, and which override it came from.
type StoreId = (String, String, Option<usize>);

impl Stores {
    /// A registry. Reads the certificate files that the settings name; connects to nothing yet.
    pub fn new(settings: StoreSettings) -> Result<Stores, StoreError> {
        let StoreSettings { local, s3, only_overrides, minio, overrides, observer } = settings;
        let connect = |settings| S3Connection::new(settings).map(Arc::new);
        let overrides = overrides
            .into_iter()
            .map(|entry| {
                let uri = format!("{}://{}/{}", entry.scheme, entry.bucket, entry.key_prefix.trim_matches('/'));
                Ok((parse(&uri)?, connect(entry.settings)?))
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(Stores {
            local,
            s3: (!only_overrides).then(|| connect(s3)).transpose()?,
            minio: minio.map(connect).transpose()?,
            overrides,
            observer,
            open: Mutex::default(),
        })
    }

    /// The store of a URI, and the key in it.
    pub fn open(&self, uri: &str) -> Result<(Arc<dyn ObjectStore>, String), StoreError> {
        let parsed = parse(uri)?;
        let chosen = self.overrides.iter().position(|(root, _)| parsed.starts_with(root));
        let id = (parsed.scheme.clone(), parsed.bucket.clone(), chosen);
        if parsed.scheme == "file" {
            self.check_local(&parsed)?;
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = open.get(&id) {
            return Ok((Arc::clone(store), parsed.key));
        }
        let connection = chosen.and_then(|index| self.overrides.get(index)).map(|(_, connection)| connection);
        let store: Arc<dyn ObjectStore> = match parsed.scheme.as_str() {
            "file" => Arc::new(LocalStore::new("/")),
            "mem" => Arc::new(MemoryStore::new(&parsed.bucket)),
            scheme @ ("s3" | "minio") => {
                let default = if scheme == "s3" { &self.s3 } else { &self.minio };
                match connection.or(default.as_ref()) {
                    Some(connection) => self.observed(S3Store::new(Arc::clone(connection), &parsed.bucket)),
                    // A process of a user's own; a launcher has what its namespace's settings say, and no s3:// besides.
                    None if self.s3.is_some() => {
                        let flag = "set --s3-endpoint (PENSTOCK_S3_ENDPOINT) to the server's address as seen from here";
                        return Err(refusal(uri, format!("no endpoint is configured for {scheme}:// URIs: {flag}")));
                    }
                    None => {
                        return Err(refusal(uri, format!("no endpoint is configured for {scheme}:// URIs like it")));
                    }
                }
            }
            "gs" => return Err(refusal(uri, "Google Cloud Storage is not supported; use its S3 interface by s3://")),
            scheme => return Err(refusal(uri, format!("scheme {scheme:?} is not supported"))),
        };
        if open.len() >= MAX_BUCKETS {
            // Stores in memory hold objects; the others can be opened again at any time.
            open.retain(|(scheme, _, _), _| scheme == "mem");
        }
        open.insert(id, Arc::clone(&store));
        Ok((store, parsed.key))
    }

    fn observed(&self, store: S3Store) -> Arc<dyn ObjectStore> {
        match &self.observer {
            Some(observer) => Arc::new(ObservedStore::new(Arc::new(store), Arc::clone(observer))),
            None => Arc::new(store),
        }
    }

    /// Puts a store of one's own in the place of a bucket (of `file://` with an empty bucket name).
    pub fn insert(&self, scheme: &str, bucket: &str, store: Arc<dyn ObjectStore>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert((scheme.to_owned(), bucket.to_owned(), None), store);
    }

    /// The local path of a `file://` URI that these stores may reach; `None` for other schemes.
    pub fn local_path(&self, uri: &str) -> Result<Option<PathBuf>, StoreError> {
        let parsed = parse(uri)?;
        if parsed.scheme != "file" {
            return Ok(None);
        }
        self.check_local(&parsed).map(Some)
    }

    fn check_local(&self, uri: &ObjectUri) -> Result<PathBuf, StoreError> {
        let Some(relative) = relative_path_of_key(&uri.key) else {
            return Err(refusal(&uri.to_string(), "it is not a plain absolute path"));
        };
        let path = PathBuf::from("/").join(relative);
        match &self.local {
            LocalAccess::Refused => Err(refusal(&uri.to_string(), "local files cannot be used here")),
            LocalAccess::Beneath(roots) if !roots.iter().any(|root| path.starts_with(root)) => {
                Err(refusal(&uri.to_string(), "it lies outside of the directories that may be used"))
            }
            _ => Ok(path),
        }
    }
}

fn parse(uri: &str) -> Result<ObjectUri, StoreError> {
    ObjectUri::parse(uri).map_err(|error| {
        // The error repeats the URI, however long it is.
        let reason: String = error.to_string().chars().take(2000).collect();
        StoreError::new(ErrorKind::Invalid, "use", "object URI", reason)
    })
}

fn refusal(uri: &str, reason: impl Into<String>) -> StoreError {
    StoreError::new(ErrorKind::Invalid, "use", uri, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stores(local: LocalAccess) -> Stores {
        Stores::new(StoreSettings { local, ..StoreSettings::default() }).expect("settings are good")
    }

    #[test]
    fn local_files_are_out_of_reach_unless_allowed() {
        assert!(stores(LocalAccess::Refused).open("file:///tmp/x").is_err());
        let below = stores(LocalAccess::Beneath(vec!["/tmp/run-1".into()]));
        assert!(below.open("file:///tmp/run-1/x").is_ok());
        // T-03: by segments, not by text.
        assert!(below.open("file:///tmp/run-10/x").is_err());
        assert!(below.open("file:///tmp/run-1/../x").is_err());
        assert!(stores(LocalAccess::Anywhere).open("file:///tmp/x").is_ok());
    }

    #[test]
    fn i13_schemes_without_a_store_are_named() {
        let stores = stores(LocalAccess::Refused);
        for (uri, reason) in [
            ("gs://bucket/key", "Google Cloud Storage"),
            ("minio://bucket/key", "no endpoint"),
            ("ftp://bucket/key", "\"ftp\""),
            ("s3://", "no bucket"),
            ("s3://user:secret@bucket/key", "bucket name"),
            ("s3://bucket:9000/key", "bucket name"),
            ("s3://bucket/a/../b", "'..'"),
            ("s3://bucket//a", "empty segment"),
            ("no uri", "not a URI"),
        ] {
            let error = stores.open(uri).expect_err(uri);
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(reason), "{error}");
        }
    }

    #[test]
    fn first_override_that_matches_by_segments_is_taken() {
        let entry = |key_prefix: &str, endpoint: &str| S3Override {
            scheme: "s3".into(),
            bucket: "bucket".into(),
            key_prefix: key_prefix.into(),
            settings: S3Settings { endpoint: Some(endpoint.into()), ..S3Settings::default() },
        };
        let stores = Stores::new(StoreSettings {
            overrides: vec![entry("run-1", "http://one.example"), entry("", "http://two.example")],
            ..StoreSettings::default()
        })
        .expect("settings are good");
        let endpoint = |uri| format!("{:?}", stores.open(uri).expect("opens").0);
        assert!(endpoint("s3://bucket/run-1/x").contains("one.example"));
        assert!(endpoint("s3://bucket/run-10/x").contains("two.example"));
        assert!(!endpoint("s3://other/run-1/x").contains("example"));
    }

    #[test]
    fn t08_buckets_that_are_not_configured_are_refused_when_only_overrides_count() {
        let entry = S3Override {
            scheme: "s3".into(),
            bucket: "bucket".into(),
            key_prefix: String::new(),
            settings: S3Settings::default(),
        };
        let settings = StoreSettings { only_overrides: true, overrides: vec![entry], ..StoreSettings::default() };
        let stores = Stores::new(settings).expect("settings are good");
        assert!(stores.open("s3://bucket/x").is_ok());
        let error = stores.open("s3://other/x").expect_err("not configured").to_string();
        assert!(error.contains("no endpoint is configured for s3:// URIs"), "{error}");
    }
}
