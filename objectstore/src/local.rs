//! A directory of this machine as a store.
//!
//! A key is the relative path of a file below the root, by [`relative_path_of_key`] (T-02). Objects are written to a
//! temporary name beside their place, synced, renamed and the directory synced: what is there is whole and stays there
//! when the machine stops. The root is trusted, and so are the directories below it; the object itself must be a
//! regular file, symbolic links and special files are not objects and are neither listed nor read.
//!
//! One rule follows from files and directories sharing names: a key cannot be both an object and a prefix. While `a`
//! is stored `a/b` is refused, and the other way round, as a conflict.

use std::{
    fs::{self, File},
    io::{self, Read},
    ops::Range,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use penstock_spec::{Timestamp, uri::relative_path_of_key};
use rustix::fs::{Access, OFlags};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    content::FileDigest,
    error::{ErrorKind, StoreError},
    store::{Body, ListPage, MultipartUpload, ObjectMeta, ObjectStore, Part},
};

mod unfinished;

pub use unfinished::sync_directories;

use unfinished::{TEMPORARY, Unfinished, create_directories, sync_directory};

/// Bytes read at once when copying or streaming.
const CHUNK: usize = 256 * 1024;
/// Objects per page of a listing.
const PAGE: usize = 10_000;
/// Directories below each other that a listing follows.
const MAX_DEPTH: usize = 256;

/// A directory as a store.
#[derive(Debug, Clone)]
pub struct LocalStore {
    root: Arc<Path>,
}

impl LocalStore {
    /// The store whose keys are paths below `root`.
    pub fn new(root: impl AsRef<Path>) -> LocalStore {
        LocalStore { root: Arc::from(root.as_ref()) }
    }

    /// The path of a key.
    pub fn path(&self, key: &str) -> Result<PathBuf, StoreError> {
        let refused = |reason| Err(StoreError::new(ErrorKind::Invalid, "use", self.name(key), reason));
        if key.ends_with('/') {
            return refused("a key that ends in a slash is not the path of a file");
        }
        let Some(relative) = relative_path_of_key(key) else {
            return refused("it has a part that is empty, `.`, `..`, too long, or holds a NUL");
        };
        if key.split('/').any(|part| part.starts_with(TEMPORARY)) {
            return refused("names that begin with `.penstock-tmp-` are kept for unfinished files");
        }
        Ok(self.root.join(relative))
    }

    /// Makes the directory of a prefix and checks that files may be written there. Blocks.
    pub fn make_writable(&self, prefix: &str) -> Result<(), StoreError> {
        let directory = if prefix.is_empty() { self.root.to_path_buf() } else { self.path(prefix)? };
        let failed = |error: io::Error| StoreError::io("write to", self.name(prefix), error);
        fs::create_dir_all(&directory).map_err(failed)?;
        rustix::fs::access(&directory, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| failed(error.into()))
    }

    /// Copies `source`, which has about `size` bytes, to `key`, hashing it on the way. Blocks. The object's directory is
    /// returned: the object lasts through a crash once that directory was synced by [`sync_directories`].
    pub fn import(
        &self,
        key: &str,
        source: &mut impl Read,
        size: u64,
    ) -> Result<(u64, FileDigest, PathBuf), StoreError> {
        let place = self.path(key)?;
        let failed = |error| StoreError::io("write", self.name(key), error);
        let mut unfinished = Unfinished::create(&place, &self.root).map_err(failed)?;
        if size > CHUNK as u64 {
            // Others may already be putting objects into the new directories, and rely on them.
            unfinished.sync_new_directories().map_err(failed)?;
        }
        let mut target = &unfinished.file;
        let (size, digest) = copy_hashing(source, &mut target).map_err(failed)?;
        let directory = unfinished.finish().map_err(failed)?;
        Ok((size, digest, directory))
    }

    /// Opens the object of a key for reading, refusing whatever is not a regular file. Blocks.
    pub fn open(&self, key: &str) -> Result<File, StoreError> {
        let path = self.path(key)?;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path);
        let file = file.map_err(|error| self.read_error(key, error))?;
        let metadata = file.metadata().map_err(|error| self.read_error(key, error))?;
        if metadata.is_dir() {
            return Err(self.read_error(key, io::ErrorKind::NotFound.into()));
        }
        if !metadata.is_file() {
            return Err(StoreError::new(ErrorKind::Invalid, "read", self.name(key), "it is not a regular file"));
        }
        Ok(file)
    }

    fn read_error(&self, key: &str, error: io::Error) -> StoreError {
        if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
            let reason = "it is a symbolic link, and links are not objects";
            return StoreError::new(ErrorKind::Invalid, "read", self.name(key), reason);
        }
        // `a/b` where `a` is an object: the key is simply not there.
        if error.kind() == io::ErrorKind::NotADirectory {
            return StoreError::io("read", self.name(key), io::ErrorKind::NotFound.into());
        }
        StoreError::io("read", self.name(key), error)
    }

    fn name(&self, key: &str) -> String {
        format!("{:?}", self.root.join(key.trim_start_matches('/')))
    }

    /// Where the parts of an upload are gathered: beside the object's place, so that a rename puts it there.
    fn upload_path(&self, key: &str, upload: &MultipartUpload) -> Result<PathBuf, StoreError> {
        let id = Uuid::parse_str(&upload.id)
            .map_err(|_| StoreError::new(ErrorKind::Invalid, "write a part of", self.name(key), "no such upload"))?;
        Ok(self.path(key)?.with_file_name(format!("{TEMPORARY}{id}")))
    }

    fn head_sync(&self, key: &str) -> Result<Option<ObjectMeta>, StoreError> {
        match fs::symlink_metadata(self.path(key)?) {
            Ok(metadata) if metadata.is_file() => Ok(Some(meta_of(key.to_owned(), &metadata))),
            Ok(_) => Ok(None),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(StoreError::io("look at", self.name(key), error)),
        }
    }

    /// All objects whose keys start with `prefix`, sorted by key, after `after`, one more than a page.
    fn list_sync(&self, prefix: &str, after: Option<&str>) -> Result<ListPage, StoreError> {
        let failed = |error| StoreError::io("list", self.name(prefix), error);
        // Only the directory named by the whole parts of the prefix can hold such keys.
        let base = prefix.rsplit_once('/').map_or("", |(base, _)| base);
        let mut found: Vec<ObjectMeta> = Vec::new();
        let mut pending: Vec<(String, usize)> = vec![(base.to_owned(), 0)];
        while let Some((directory, depth)) = pending.pop() {
            let path = if directory.is_empty() { self.root.to_path_buf() } else { self.path(&directory)? };
            let entries = match fs::read_dir(path) {
                Ok(entries) => entries,
                // Nothing was ever stored there, or it was removed meanwhile.
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    continue;
                }
                Err(error) => return Err(failed(error)),
            };
            for entry in entries {
                let entry = entry.map_err(failed)?;
                // What has no UTF-8 name was not stored by us and has no key.
                let Ok(name) = entry.file_name().into_string() else { continue };
                if name.starts_with(TEMPORARY) {
                    continue;
                }
                let key = if directory.is_empty() { name } else { format!("{directory}/{name}") };
                let kind = entry.file_type().map_err(failed)?;
                if kind.is_dir() {
                    let below = format!("{key}/");
                    if depth < MAX_DEPTH && (below.starts_with(prefix) || prefix.starts_with(&below)) {
                        pending.push((key, depth + 1));
                    }
                } else if kind.is_file() && key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after) {
                    match entry.metadata() {
                        Ok(metadata) => found.push(meta_of(key, &metadata)),
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => return Err(failed(error)),
                    }
                }
            }
        }
        found.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let more = found.len() > PAGE;
        found.truncate(PAGE);
        let next = found.last().filter(|_| more).map(|last| last.key.clone());
        Ok(ListPage { objects: found, next })
    }
}

/// Copies until the end, hashing on the way. Blocks.
pub(crate) fn copy_hashing(source: &mut impl Read, target: &mut impl io::Write) -> io::Result<(u64, FileDigest)> {
    let mut hasher = Sha256::new();
    let mut size = 0_u64;
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let chunk = buffer.get(..read).unwrap_or_default();
        hasher.update(chunk);
        target.write_all(chunk)?;
        size += chunk.len() as u64;
    }
    Ok((size, hasher.finalize().into()))
}

fn meta_of(key: String, metadata: &fs::Metadata) -> ObjectMeta {
    let modified = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
    // The inode changes with every write, since writes are renames.
    let etag = {
        use std::os::unix::fs::MetadataExt;
        format!("{}-{}-{}.{}", metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec())
    };
    ObjectMeta { key, size: metadata.len(), modified, etag: Some(etag) }
}

/// Runs blocking work off the asynchronous threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Blocking tasks are never aborted by us; the runtime does so only while it ends, with this future.
            Err(_) => std::future::pending().await,
        },
    }
}

#[async_trait]
impl ObjectStore for LocalStore {
    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>, StoreError> {
        let (store, key) = (self.clone(), key.to_owned());
        blocking(move || store.head_sync(&key)).await
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Body, StoreError> {
        let (store, key) = (self.clone(), key.to_owned());
        blocking(move || {
            let file = store.open(&key)?;
            let metadata = file.metadata().map_err(|error| store.read_error(&key, error))?;
            let meta = meta_of(key.clone(), &metadata);
            let range = range.unwrap_or(0..meta.size);
            if range.start > range.end || range.end > meta.size {
                let reason = "the range is outside of the object";
                return Err(StoreError::new(ErrorKind::Invalid, "read", store.name(&key), reason));
            }
            let state = (Arc::new(file), range, store, key);
            let stream = stream::try_unfold(state, |(file, range, store, key)| async move {
                if range.is_empty() {
                    return Ok(None);
                }
                let wanted = usize::try_from(range.end - range.start).unwrap_or(CHUNK).min(CHUNK);
                let reader = Arc::clone(&file);
                let read = blocking(move || {
                    let mut chunk = BytesMut::zeroed(wanted);
                    reader.read_exact_at(&mut chunk, range.start).map(|()| chunk.freeze())
                });
                match read.await {
                    Ok(chunk) => {
                        let rest = range.start + chunk.len() as u64..range.end;
                        Ok(Some((chunk, (file, rest, store, key))))
                    }
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        let reason = "it ended early";
                        Err(StoreError::new(ErrorKind::Incomplete, "read", store.name(&key), reason))
                    }
                    Err(error) => Err(store.read_error(&key, error)),
                }
            });
            Ok(Body { object_size: Some(meta.size), etag: meta.etag, stream: stream.boxed() })
        })
        .await
    }

    async fn put(&self, key: &str, body: Bytes) -> Result<(), StoreError> {
        let (store, key) = (self.clone(), key.to_owned());
        blocking(move || {
            let (_, _, directory) = store.import(&key, &mut body.as_ref(), body.len() as u64)?;
            sync_directories([&directory])
        })
        .await
    }

    async fn list(&self, prefix: &str, page: Option<&str>) -> Result<ListPage, StoreError> {
        let (store, prefix, page) = (self.clone(), prefix.to_owned(), page.map(str::to_owned));
        blocking(move || store.list_sync(&prefix, page.as_deref())).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let (store, key) = (self.clone(), key.to_owned());
        blocking(move || {
            let path = store.path(&key)?;
            match fs::remove_file(path) {
                Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    Err(StoreError::io("delete", store.name(&key), error))
                }
                _ => Ok(()),
            }
        })
        .await
    }

    async fn create_multipart(&self, key: &str) -> Result<MultipartUpload, StoreError> {
        let (store, key) = (self.clone(), key.to_owned());
        blocking(move || {
            let id = Uuid::new_v4().to_string();
            let upload = MultipartUpload { nonce: id.clone(), id };
            let path = store.upload_path(&key, &upload)?;
            let failed = |error| StoreError::io("write", store.name(&key), error);
            let unsynced = create_directories(path.parent().unwrap_or(&store.root)).map_err(failed)?;
            File::create_new(path).map_err(failed)?;
            unsynced.iter().try_for_each(|directory| sync_directory(directory)).map_err(failed)?;
            Ok(upload)
        })
        .await
    }

    async fn put_part(
        &self,
        key: &str,
        upload: &MultipartUpload,
        number: u32,
        offset: u64,
        body: Bytes,
    ) -> Result<Part, StoreError> {
        let path = self.upload_path(key, upload)?;
        let (store, key) = (self.clone(), key.to_owned());
        blocking(move || {
            let write = || fs::OpenOptions::new().write(true).open(path)?.write_all_at(&body, offset);
            write().map_err(|error| StoreError::io("write a part of", store.name(&key), error))?;
            Ok(Part { number, etag: number.to_string() })
        })
        .await
    }

    async fn complete_multipart(&self, key: &str, upload: &MultipartUpload, _parts: &[Part]) -> Result<(), StoreError> {
        let path = self.upload_path(key, upload)?;
        let (store, key) = (self.clone(), key.to_owned());
        blocking(move || {
            let place = store.path(&key)?;
            let finish = || {
                File::open(&path)?.sync_data()?;
                fs::rename(&path, &place)?;
                sync_directory(place.parent().unwrap_or(&store.root))
            };
            finish().map_err(|error| StoreError::io("complete", store.name(&key), error))
        })
        .await
    }

    async fn abort_multipart(&self, key: &str, upload: &MultipartUpload) -> Result<(), StoreError> {
        let path = self.upload_path(key, upload)?;
        let (store, key) = (self.clone(), key.to_owned());
        blocking(move || match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::io("abort the upload of", store.name(&key), error))
            }
            _ => Ok(()),
        })
        .await
    }

    fn as_local(&self) -> Option<&LocalStore> {
        Some(self)
    }

    fn max_key_bytes(&self) -> usize {
        // PATH_MAX, less room for the temporary name.
        4000
    }
}
