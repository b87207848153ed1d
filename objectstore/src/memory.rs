//! A store in the memory of this process: `mem://`, and the double that tests use in place of S3.

use std::{
    collections::{BTreeMap, HashMap},
    ops::{Bound, Range},
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use penstock_spec::Timestamp;
use uuid::Uuid;

use crate::{
    error::{ErrorKind, StoreError},
    store::{Body, ListPage, MultipartUpload, ObjectMeta, ObjectStore, Part},
};

/// Objects per page of a listing.
const PAGE: usize = 1000;
/// Bytes per chunk of a body.
const CHUNK: usize = 256 * 1024;

/// A bucket in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    bucket: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Stored>,
    uploads: HashMap<String, Upload>,
    version: u64,
}

#[derive(Debug)]
struct Stored {
    bytes: Bytes,
    version: u64,
    modified: Timestamp,
    nonce: Option<String>,
}

#[derive(Debug)]
struct Upload {
    key: String,
    parts: BTreeMap<u32, Bytes>,
}

impl MemoryStore {
    /// An empty bucket.
    pub fn new(bucket: impl Into<String>) -> MemoryStore {
        MemoryStore { bucket: bucket.into(), state: Mutex::default() }
    }

    /// Number of multipart uploads neither completed nor aborted.
    pub fn open_uploads(&self) -> usize {
        self.lock().uploads.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is one insert or remove, so a panic elsewhere leaves the maps whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, kind: ErrorKind, operation: &'static str, key: &str, reason: &str) -> StoreError {
        StoreError::new(kind, operation, format!("mem://{}/{key}", self.bucket), reason)
    }
}

impl Stored {
    fn meta(&self, key: &str) -> ObjectMeta {
        ObjectMeta {
            key: key.to_owned(),
            size: self.bytes.len() as u64,
            modified: Some(self.modified),
            etag: Some(self.version.to_string()),
        }
    }
}

impl State {
    fn insert(&mut self, key: &str, bytes: Bytes, nonce: Option<String>) {
        self.version += 1;
        let stored = Stored { bytes, version: self.version, modified: Timestamp::now(), nonce };
        self.objects.insert(key.to_owned(), stored);
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>, StoreError> {
        Ok(self.lock().objects.get(key).map(|stored| stored.meta(key)))
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Body, StoreError> {
        let (bytes, meta) = match self.lock().objects.get(key) {
            Some(stored) => (stored.bytes.clone(), stored.meta(key)),
            None => return Err(self.error(ErrorKind::NotFound, "read", key, "it does not exist")),
        };
        let wanted = match range {
            None => bytes,
            Some(range) => {
                let inside = |at: u64| usize::try_from(at).ok().filter(|at| *at <= bytes.len());
                match (inside(range.start), inside(range.end)) {
                    (Some(start), Some(end)) if start <= end => bytes.slice(start..end),
                    _ => return Err(self.error(ErrorKind::Invalid, "read", key, "the range is outside of the object")),
                }
            }
        };
        let mut rest = wanted;
        let chunks = std::iter::from_fn(move || (!rest.is_empty()).then(|| Ok(rest.split_to(rest.len().min(CHUNK)))));
        Ok(Body { object_size: Some(meta.size), etag: meta.etag, stream: stream::iter(chunks).boxed() })
    }

    async fn put(&self, key: &str, body: Bytes) -> Result<(), StoreError> {
        if key.is_empty() {
            return Err(self.error(ErrorKind::Invalid, "write", key, "the key is empty"));
        }
        self.lock().insert(key, body, None);
        Ok(())
    }

    async fn list(&self, prefix: &str, page: Option<&str>) -> Result<ListPage, StoreError> {
        let state = self.lock();
        let from = match page {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        let mut objects: Vec<ObjectMeta> = state
            .objects
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(PAGE + 1)
            .map(|(key, stored)| stored.meta(key))
            .collect();
        let more = objects.len() > PAGE;
        objects.truncate(PAGE);
        let next = objects.last().filter(|_| more).map(|last| last.key.clone());
        Ok(ListPage { objects, next })
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.lock().objects.remove(key);
        Ok(())
    }

    async fn create_multipart(&self, key: &str) -> Result<MultipartUpload, StoreError> {
        let id = Uuid::new_v4().to_string();
        self.lock().uploads.insert(id.clone(), Upload { key: key.to_owned(), parts: BTreeMap::new() });
        Ok(MultipartUpload { nonce: id.clone(), id })
    }

    async fn put_part(
        &self,
        key: &str,
        upload: &MultipartUpload,
        number: u32,
        _offset: u64,
        body: Bytes,
    ) -> Result<Part, StoreError> {
        match self.lock().uploads.get_mut(&upload.id).filter(|upload| upload.key == key) {
            Some(upload) => upload.parts.insert(number, body),
            None => return Err(self.error(ErrorKind::NotFound, "write a part of", key, "no such upload")),
        };
        Ok(Part { number, etag: number.to_string() })
    }

    async fn complete_multipart(&self, key: &str, upload: &MultipartUpload, parts: &[Part]) -> Result<(), StoreError> {
        let mut state = self.lock();
        if state.objects.get(key).is_some_and(|stored| stored.nonce.as_ref() == Some(&upload.nonce)) {
            return Ok(());
        }
        let Some(stored) = state.uploads.get(&upload.id) else {
            return Err(self.error(ErrorKind::NotFound, "complete", key, "no such upload"));
        };
        let mut bytes = BytesMut::new();
        for part in parts {
            match stored.parts.get(&part.number) {
                Some(part) => bytes.extend_from_slice(part),
                None => return Err(self.error(ErrorKind::Invalid, "complete", key, "a part is missing")),
            }
        }
        state.insert(key, bytes.freeze(), Some(upload.nonce.clone()));
        state.uploads.remove(&upload.id);
        Ok(())
    }

    async fn abort_multipart(&self, _key: &str, upload: &MultipartUpload) -> Result<(), StoreError> {
        self.lock().uploads.remove(&upload.id);
        Ok(())
    }
}
