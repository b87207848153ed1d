//! The seam: what every object store can do. Keys are full keys inside one bucket or root.
//!
//! Only what the plainest S3 server knows is in the trait: put, get, head, list, delete and multipart. Transfers of
//! whole files and trees, retries and digests are the transfer engine's.

use std::{fmt::Debug, ops::Range, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use penstock_spec::Timestamp;

use crate::{error::StoreError, link::LinkEndpoint, local::LocalStore};

/// What a store says about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Full key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub modified: Option<Timestamp>,
    /// Opaque version of the content; equal tags of one key mean equal content.
    pub etag: Option<String>,
}

/// The body of an object, or of a range of it.
pub struct Body {
    /// Size of the whole object where the store said it.
    pub object_size: Option<u64>,
    /// Version of the content.
    pub etag: Option<String>,
    /// The bytes, in order.
    pub stream: BoxStream<'static, Result<Bytes, StoreError>>,
}

/// One page of a listing, sorted by key.
#[derive(Debug, Clone, Default)]
pub struct ListPage {
    /// The objects.
    pub objects: Vec<ObjectMeta>,
    /// What to pass to get the next page; absent on the last.
    pub next: Option<String>,
}

/// A multipart upload under way.
#[derive(Debug, Clone)]
pub struct MultipartUpload {
    /// The store's identifier.
    pub id: String,
    /// Ours; stored with the object where the store can, so that a lost answer can be resolved by looking.
    pub nonce: String,
}

/// An uploaded part.
#[derive(Debug, Clone)]
pub struct Part {
    /// From 1.
    pub number: u32,
    /// What the store answered.
    pub etag: String,
}

/// What a link to an object is good for, and what the store is to say of the object to who follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSettings {
    /// How long it is good.
    pub lifetime: Duration,
    /// `Content-Type`.
    pub content_type: String,
    /// `Content-Disposition`.
    pub content_disposition: String,
    /// Where whoever follows it reaches the store; where this process does when absent.
    pub endpoint: Option<LinkEndpoint>,
}

/// An object store: one bucket, or one directory.
#[async_trait]
pub trait ObjectStore: Send + Sync + Debug {
    /// Looks at an object; `None` when there is none.
    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>, StoreError>;

    /// Reads an object or a range of it. The range must lie inside the object.
    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Body, StoreError>;

    /// Writes an object whole; readers see the old content or the new, never a part.
    async fn put(&self, key: &str, body: Bytes) -> Result<(), StoreError>;

    /// Lists the objects whose keys start with `prefix`, a page at a time.
    async fn list(&self, prefix: &str, page: Option<&str>) -> Result<ListPage, StoreError>;

    /// Deletes an object; deleting what is not there is fine.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// Starts a multipart upload.
    async fn create_multipart(&self, key: &str) -> Result<MultipartUpload, StoreError>;

    /// Uploads part `number` (from 1), whose first byte is byte `offset` of the object.
    async fn put_part(
        &self,
        key: &str,
        upload: &MultipartUpload,
        number: u32,
        offset: u64,
        body: Bytes,
    ) -> Result<Part, StoreError>;

    /// Makes the parts, in order, the object. May be repeated when the answer was lost.
    async fn complete_multipart(&self, key: &str, upload: &MultipartUpload, parts: &[Part]) -> Result<(), StoreError>;

    /// Throws the parts away. Aborting what is no longer there is fine.
    async fn abort_multipart(&self, key: &str, upload: &MultipartUpload) -> Result<(), StoreError>;

    /// A URL with which whoever has it may read the object for some time; `None` when the store makes none.
    async fn link(&self, _key: &str, _settings: &LinkSettings) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    /// The local directory behind this store, if it is one: files are then copied without passing through memory
    /// budgets and asynchronous hops.
    fn as_local(&self) -> Option<&LocalStore> {
        None
    }

    /// Longest key, in bytes, that the store takes.
    fn max_key_bytes(&self) -> usize {
        1024
    }
}

impl Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("object_size", &self.object_size).field("etag", &self.etag).finish_non_exhaustive()
    }
}
