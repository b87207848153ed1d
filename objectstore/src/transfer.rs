//! The transfer engine: moves files and directories between this machine and a store.
//!
//! - **Bounded**: several files and several parts of a file move at once, under one budget of bytes in memory for all
//!   transfers of an engine, whatever the sizes.
//! - **Checked**: every file is hashed while it is read; a download is compared with what was expected before it gets
//!   its name, so nobody reads a file that is short, long or altered (F-24).
//! - **Whole**: downloads go to a temporary name and are renamed; uploads of large files are multipart and aborted on
//!   every way out, a dropped future included. What an upload has stored when it fails stays, unlisted by any manifest.
//! - **Patient**: requests that may work later are repeated with jitter within a budget ([`RetrySettings`]).
//!
//! What is uploaded from a directory is described at [`Transfer::upload_beneath`].

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use penstock_spec::artifact::Content;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};

use crate::{
    error::{ErrorKind, StoreError},
    retry::{RetrySettings, retry},
    store::{Body, ObjectStore},
    stores::Stores,
};

mod download;
mod error;
mod listing;
mod multipart;
mod source;
mod upload;

pub use error::TransferError;
pub use source::{Opener, UploadSource, open_without_links};

/// Bytes that one permit of the budget stands for.
const PERMIT_BYTES: u64 = 1024;
/// Tries of each request of a probe: nothing is lost yet, and somebody waits for an answer.
const PROBE_TRIES: u32 = 3;
/// Name of the object that a probe begins and never stores.
const PROBE: &str = ".penstock-probe";
/// Parts that a multipart upload may have.
const MAX_PARTS: u64 = 10_000;

/// How the engine works.
#[derive(Debug, Clone)]
pub struct TransferSettings {
    /// Bytes of file content that may be in memory at once, over all transfers of the engine. At least one part.
    pub memory: u64,
    /// Files above this move in parts of this size; larger parts are taken where 10,000 would not do. S3 wants parts of
    /// at least 5 MiB.
    pub part_size: u64,
    /// Parts of one file that move at once.
    pub parallel_parts: usize,
    /// Files of one directory that move at once.
    pub parallel_files: usize,
    /// Most files of one directory.
    pub max_files: u64,
    /// When a request is repeated.
    pub retry: RetrySettings,
}

impl Default for TransferSettings {
    fn default() -> Self {
        TransferSettings {
            memory: 64 * 1024 * 1024,
            part_size: 8 * 1024 * 1024,
            parallel_parts: 6,
            parallel_files: 16,
            max_files: 1_000_000,
            retry: RetrySettings::default(),
        }
    }
}

/// What a download found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Downloaded {
    /// Nothing is stored there, and nothing was expected; the local path was not touched.
    Nothing,
    /// One object, now a file.
    File(Content),
    /// Objects below the key, now a directory.
    Directory(Content),
}

/// The engine. Clones share the memory budget.
#[derive(Debug, Clone)]
pub struct Transfer {
    stores: Arc<Stores>,
    settings: Arc<TransferSettings>,
    memory: Arc<Semaphore>,
    /// Aborts of multipart uploads that go on after their transfer was dropped.
    aborts: Arc<Mutex<JoinSet<()>>>,
}

impl Transfer {
    /// An engine over these stores. Settings that make no sense together are pulled into range.
    pub fn new(stores: Arc<Stores>, mut settings: TransferSettings) -> Transfer {
        settings.part_size = settings.part_size.clamp(1, 512 * 1024 * 1024);
        settings.memory = settings.memory.clamp(settings.part_size, 1024 * 1024 * 1024 * 1024);
        settings.parallel_parts = settings.parallel_parts.clamp(1, 1024);
        settings.parallel_files = settings.parallel_files.clamp(1, 1024);
        let permits = usize::try_from(settings.memory.div_ceil(PERMIT_BYTES)).unwrap_or(Semaphore::MAX_PERMITS);
        Transfer {
            stores,
            settings: Arc::new(settings),
            memory: Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS))),
            aborts: Arc::default(),
        }
    }

    /// The registry.
    pub fn stores(&self) -> &Arc<Stores> {
        &self.stores
    }

    /// Uploads a file or a directory. The directories above `local` are trusted, `local` itself is not: see
    /// [`Transfer::upload_beneath`], which this is with the directory of `local` as its root.
    pub async fn upload(&self, local: &Path, uri: &str) -> Result<Content, TransferError> {
        match local.parent() {
            Some(parent) if local.file_name().is_some() => self.upload_beneath(parent, local, uri).await,
            _ => Err(TransferError::NotBelow { path: local.to_owned(), root: PathBuf::from("/") }),
        }
    }

    /// Uploads `path`, a file or a directory below the trusted directory `root`. User code may have written everything
    /// below `root` and may still be writing, so (T-04, I-16):
    ///
    /// | found | what happens |
    /// |---|---|
    /// | regular file, hard links and sparse files too | its bytes are uploaded; a change of its size meanwhile is an error |
    /// | directory | its files are uploaded; a directory without any leaves no trace |
    /// | symbolic link to a regular file that stays inside the directory being uploaded | the file's bytes are uploaded under the link's name, as KFP does |
    /// | symbolic link to a directory, out of the directory, or to nothing | refused |
    /// | FIFO, socket, device | refused, without opening it for long: never blocks |
    /// | name that is not UTF-8, key longer than the store takes | refused |
    /// | more files than `max_files`, directories nested above 256 | refused |
    ///
    /// Every refusal names the path. Links are resolved by the kernel (`openat2` beneath an open directory), so a swap
    /// between look and open gains nothing. Where the kernel or a sandbox lacks `openat2` links are refused altogether.
    pub async fn upload_beneath(&self, root: &Path, path: &Path, uri: &str) -> Result<Content, TransferError> {
        self.upload_from(UploadSource::beneath(root, path), uri).await
    }

    /// [`Transfer::upload_beneath`] for any kind of source.
    pub async fn upload_from(&self, source: UploadSource, uri: &str) -> Result<Content, TransferError> {
        Box::pin(self.upload_source(source, uri)).await
    }

    /// Downloads what is stored under a URI to `local`: an object becomes a file, objects below `key/` a directory.
    /// Missing directories above `local` are made. A file at `local` is replaced; a directory there must be empty.
    ///
    /// With `expected` the content must be exactly that, otherwise it never gets to `local`.
    pub async fn download(
        &self,
        uri: &str,
        expected: Option<&Content>,
        local: &Path,
    ) -> Result<Downloaded, TransferError> {
        Box::pin(self.download_checked(uri, expected, local)).await
    }

    /// Stores a small object.
    pub async fn put_bytes(&self, uri: &str, bytes: impl Into<Bytes>) -> Result<(), TransferError> {
        let (store, key) = self.stores.open(uri)?;
        let bytes = bytes.into();
        retry(&self.settings.retry, || store.put(&key, bytes.clone())).await?;
        Ok(())
    }

    /// Reads a small object of at most `cap` bytes; `None` when it is not there.
    pub async fn get_bytes(&self, uri: &str, cap: u64) -> Result<Option<Bytes>, TransferError> {
        let (store, key) = self.stores.open(uri)?;
        let read = || async {
            let body = match store.get(&key, None).await {
                Ok(body) => body,
                Err(error) if is_missing_object(&error) => return Ok(Some(None)),
                Err(error) => return Err(error),
            };
            if body.object_size.is_some_and(|size| size > cap) {
                return Ok(None);
            }
            let mut bytes = BytesMut::new();
            let mut stream = body.stream;
            while let Some(chunk) = stream.next().await {
                let chunk = chunk?;
                if bytes.len() as u64 + chunk.len() as u64 > cap {
                    return Ok(None);
                }
                bytes.extend_from_slice(&chunk);
            }
            if body.object_size.is_some_and(|size| size != bytes.len() as u64) {
                return Err(StoreError::new(ErrorKind::Incomplete, "read", uri, "the body has not the size it should"));
            }
            Ok(Some(Some(bytes.freeze())))
        };
        match retry(&self.settings.retry, read).await? {
            Some(found) => Ok(found),
            None => Err(TransferError::TooLarge { what: uri.to_owned(), limit: cap }),
        }
    }

    /// Whether content of this kind, count and size is stored under a URI. Bytes are not read.
    pub async fn exists(&self, uri: &str, content: &Content) -> Result<bool, TransferError> {
        let (store, key) = self.stores.open(uri)?;
        if !content.directory {
            let found = retry(&self.settings.retry, || store.head(&key)).await?;
            return Ok(found.is_some_and(|found| found.size == content.size));
        }
        let (files, size) = self.measure(&store, &key, uri).await?;
        Ok((files, size) == (content.files, content.size))
    }

    /// Asks whether the store of a URI answers, lets us look below it and write there: to be done with a root before
    /// user code starts (F-27). Nothing is stored: an upload in parts is begun and given up. Of a local store
    /// the directory is made.
    pub async fn probe(&self, uri: &str) -> Result<(), TransferError> {
        let (store, key) = self.stores.open(uri)?;
        if let Some(local) = store.as_local().cloned() {
            return Ok(crate::local::blocking(move || local.make_writable(&key)).await?);
        }
        let prefix = if key.is_empty() { String::new() } else { format!("{key}/") };
        let mut tries = self.settings.retry.clone();
        tries.tries = tries.tries.min(PROBE_TRIES);
        retry(&tries, || store.list(&prefix, None)).await?;
        let key = format!("{prefix}{PROBE}");
        let upload = retry(&tries, || store.create_multipart(&key)).await?;
        // Whoever may not give an upload up may still store one: the bucket's own rules remove what is left.
        if let Err(error) = retry(&tries, || store.abort_multipart(&key, &upload)).await {
            tracing::warn!(%error, "an empty upload that only tried the rights was left behind in the store");
        }
        Ok(())
    }

    /// Deletes an object; that it is not there is fine.
    pub async fn delete(&self, uri: &str) -> Result<(), TransferError> {
        let (store, key) = self.stores.open(uri)?;
        retry(&self.settings.retry, || store.delete(&key)).await?;
        Ok(())
    }

    /// Waits until multipart uploads of dropped transfers are aborted, at most for `limit`. To be called before the
    /// process ends (F-37).
    pub async fn settle(&self, limit: Duration) {
        let mut aborts = std::mem::take(&mut *self.aborts.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while aborts.join_next().await.is_some() {} };
        if tokio::time::timeout(limit, all).await.is_err() {
            tracing::warn!("multipart uploads were left behind in the store");
        }
    }

    /// Waits until `bytes` may be in memory. Never call it while holding another permit: that could wait for itself.
    async fn reserve(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed, so there always is a permit in the end.
        Arc::clone(&self.memory).acquire_many_owned(self.permits(bytes)).await.ok()
    }

    fn try_reserve(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.memory).try_acquire_many_owned(self.permits(bytes)).ok()
    }

    fn permits(&self, bytes: u64) -> u32 {
        let most = self.settings.memory.div_ceil(PERMIT_BYTES);
        u32::try_from(bytes.div_ceil(PERMIT_BYTES).clamp(1, most)).unwrap_or(u32::MAX)
    }

    /// The size of the parts of a file.
    fn part_size(&self, what: &str, size: u64) -> Result<u64, TransferError> {
        let least = size.div_ceil(MAX_PARTS);
        if least > self.settings.memory {
            let limit = self.settings.memory.saturating_mul(MAX_PARTS);
            return Err(TransferError::TooLarge { what: what.to_owned(), limit });
        }
        Ok(self.settings.part_size.max(least))
    }
}

/// Whether the object is missing, rather than its bucket.
fn is_missing_object(error: &StoreError) -> bool {
    error.kind() == ErrorKind::NotFound && error.code() != Some("NoSuchBucket")
}

/// Reads a body that must have exactly `size` bytes.
async fn collect_exactly(body: Body, size: u64, uri: &str) -> Result<Bytes, StoreError> {
    let wrong = |reason| StoreError::new(ErrorKind::Incomplete, "read", uri, reason);
    // Callers hold a permit for `size` bytes, so this is bounded.
    let mut bytes = BytesMut::with_capacity(usize::try_from(size).unwrap_or_default());
    let mut stream = body.stream;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        if bytes.len() as u64 + chunk.len() as u64 > size {
            return Err(wrong("the body is longer than it should be"));
        }
        bytes.extend_from_slice(&chunk);
    }
    if (bytes.len() as u64) < size {
        return Err(wrong("the body ended early"));
    }
    Ok(bytes.freeze())
}

/// A store and a key in it, as the parts of a transfer pass them on.
#[derive(Clone, Debug)]
struct Object {
    store: Arc<dyn ObjectStore>,
    key: String,
    /// For messages.
    uri: String,
}
