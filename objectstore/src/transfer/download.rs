//! Downloads of objects and of everything below a key.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Write},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures::{StreamExt, TryStreamExt, future::BoxFuture, stream};
use penstock_spec::artifact::Content;
use sha2::{Digest, Sha256};
use tokio::{sync::OwnedSemaphorePermit, task::JoinHandle};
use uuid::Uuid;

use super::{Downloaded, Object, Transfer, TransferError, collect_exactly, listing::Remote};
use crate::{
    content::{FileDigest, FileEntry, digest_of, directory_content, file_content},
    error::{ErrorKind, StoreError},
    local::{LocalStore, blocking, copy_hashing},
    retry::retry,
    store::ObjectMeta,
};

/// Downloads of content that turned out altered: once more, then it is what is stored.
const MISMATCH_TRIES: u32 = 2;

impl Transfer {
    pub(super) async fn download_checked(
        &self,
        uri: &str,
        expected: Option<&Content>,
        local: &Path,
    ) -> Result<Downloaded, TransferError> {
        let (store, key) = self.stores.open(uri)?;
        let object = Object { store, key, uri: uri.to_owned() };
        let found = self.look(&object, expected).await?;
        if let Some(expected) = expected {
            found.check(uri, expected)?;
        }
        let (bytes, files) = found.size();
        let parent = local.parent().map(Path::to_owned).unwrap_or_default();
        if !matches!(found, Found::Nothing) {
            let (target, uri) = (local.to_owned(), uri.to_owned());
            blocking(move || prepare(&target, &parent, &uri, bytes, files)).await?;
        }
        let mut tries = 0;
        loop {
            tries += 1;
            let attempt = match &found {
                Found::Nothing => return Ok(Downloaded::Nothing),
                Found::File(meta) => self.fetch_to_file(&object, meta, expected, local).await,
                Found::Directory(files) => self.fetch_to_directory(&object, files, expected, local).await,
            };
            match attempt {
                Err(TransferError::Mismatch { .. }) if tries < MISMATCH_TRIES => {
                    tracing::warn!(uri, "content came altered, downloading it again");
                }
                result => return result,
            }
        }
    }

    /// Finds out what is stored.
    async fn look(&self, object: &Object, expected: Option<&Content>) -> Result<Found, TransferError> {
        let Object { store, key, uri } = object;
        let file_possible = expected.is_none_or(|expected| !expected.directory) && !key.is_empty();
        let head = match file_possible {
            true => retry(&self.settings.retry, || store.head(key)).await?,
            false => None,
        };
        if let (Some(meta), Some(_)) = (&head, expected) {
            return Ok(Found::File(meta.clone()));
        }
        // Also done for a single object: it may be a directory too, and only a listing tells a missing bucket from a
        // missing object.
        let files = self.list_directory(store, key, uri).await?;
        match (head, files.first()) {
            (Some(_), Some(other)) => Err(TransferError::Ambiguous { uri: uri.clone(), other: other.relative.clone() }),
            (Some(meta), None) => Ok(Found::File(meta)),
            (None, Some(_)) => Ok(Found::Directory(files)),
            (None, None) if expected.is_some_and(|expected| expected.directory && expected.files == 0) => {
                Ok(Found::Directory(files))
            }
            (None, None) => Ok(Found::Nothing),
        }
    }

    async fn fetch_to_file(
        &self,
        object: &Object,
        meta: &ObjectMeta,
        expected: Option<&Content>,
        local: &Path,
    ) -> Result<Downloaded, TransferError> {
        let temporary = Temporary::beside(local);
        let digest = self.fetch(object, meta, temporary.path.clone()).await?;
        let content = file_content(meta.size, &digest);
        check_digest(&object.uri, expected, &content)?;
        temporary.put_in_place(local).await?;
        Ok(Downloaded::File(content))
    }

    async fn fetch_to_directory(
        &self,
        object: &Object,
        files: &[Remote],
        expected: Option<&Content>,
        local: &Path,
    ) -> Result<Downloaded, TransferError> {
        let temporary = Temporary::beside(local);
        let base = temporary.path.clone();
        let mut directories: Vec<PathBuf> = files
            .iter()
            .filter_map(|file| file.path.parent())
            .map(|parent| base.join(parent))
            .chain([base.clone()])
            .collect();
        directories.sort_unstable();
        directories.dedup();
        blocking(move || {
            directories.iter().try_for_each(|directory| {
                fs::create_dir_all(directory).map_err(TransferError::file("make the directory", directory))
            })
        })
        .await?;
        // Boxed: the compiler cannot see that a stream of borrowing futures is `Send`.
        let fetches = files.iter().map(|file| -> BoxFuture<'_, Result<FileEntry, TransferError>> {
            let target = base.join(&file.path);
            let part = Object {
                store: Arc::clone(&object.store),
                key: file.meta.key.clone(),
                uri: format!("{}/{}", object.uri, file.relative),
            };
            Box::pin(async move {
                let digest = self.fetch(&part, &file.meta, target).await?;
                Ok(FileEntry { path: file.relative.clone(), size: file.meta.size, digest })
            })
        });
        let fetched = stream::iter(fetches.collect::<Vec<_>>()).buffer_unordered(self.settings.parallel_files);
        let mut entries: Vec<FileEntry> = fetched.try_collect().await?;
        let content = directory_content(&mut entries);
        check_digest(&object.uri, expected, &content)?;
        temporary.put_in_place(local).await?;
        Ok(Downloaded::Directory(content))
    }

    /// Fetches one object into a new file.
    async fn fetch(&self, object: &Object, meta: &ObjectMeta, target: PathBuf) -> Result<FileDigest, TransferError> {
        if let Some(local) = object.store.as_local() {
            let (store, key, size, uri) = (local.clone(), object.key.clone(), meta.size, object.uri.clone());
            return blocking(move || copy_from_local(&store, &key, size, &target, &uri)).await;
        }
        if meta.size > self.settings.part_size {
            return self.fetch_ranges(object, meta, target).await;
        }
        let _permit = self.reserve(meta.size).await;
        let bytes = retry(&self.settings.retry, || async {
            let body = object.store.get(&object.key, None).await?;
            collect_exactly(body, meta.size, &object.uri).await
        })
        .await?;
        blocking(move || {
            let write = |mut file: File| file.write_all(&bytes);
            File::create_new(&target).and_then(write).map_err(TransferError::file("write", target))?;
            Ok(digest_of(&bytes))
        })
        .await
    }

    /// Fetches a large object in ranges: several are on their way, and they are hashed and written in order.
    async fn fetch_ranges(
        &self,
        object: &Object,
        meta: &ObjectMeta,
        target: PathBuf,
    ) -> Result<FileDigest, TransferError> {
        let path = target.clone();
        let created = blocking(move || File::create_new(&path).map_err(TransferError::file("write", path)));
        let mut writer = (created.await?, Sha256::new());
        let mut underway: VecDeque<(OnTheWay, Option<OwnedSemaphorePermit>)> = VecDeque::new();
        let mut requested = 0;
        loop {
            while requested < meta.size && underway.len() < self.settings.parallel_parts {
                let range = requested..meta.size.min(requested + self.settings.part_size);
                let length = range.end - range.start;
                // What holds memory does not wait for memory.
                let permit = match self.try_reserve(length) {
                    None if underway.is_empty() => self.reserve(length).await,
                    None => break,
                    permit => permit,
                };
                requested = range.end;
                underway.push_back((self.spawn_range(object, meta, range), permit));
            }
            let Some((mut range, permit)) = underway.pop_front() else { break };
            let bytes = range.bytes().await?;
            let path = target.clone();
            writer = blocking(move || {
                let (mut file, mut hasher) = writer;
                let _permit = permit;
                hasher.update(&bytes);
                file.write_all(&bytes).map_err(TransferError::file("write", path))?;
                Ok::<_, TransferError>((file, hasher))
            })
            .await?;
        }
        Ok(writer.1.finalize().into())
    }

    fn spawn_range(&self, object: &Object, meta: &ObjectMeta, range: Range<u64>) -> OnTheWay {
        let (object, etag, settings) = (object.clone(), meta.etag.clone(), Arc::clone(&self.settings));
        OnTheWay(tokio::spawn(async move {
            retry(&settings.retry, || async {
                let body = object.store.get(&object.key, Some(range.clone())).await?;
                if let (Some(then), Some(now)) = (&etag, &body.etag)
                    && then != now
                {
                    let reason = "it was replaced while it was read";
                    return Err(StoreError::new(ErrorKind::Conflict, "read", &object.uri, reason));
                }
                collect_exactly(body, range.end - range.start, &object.uri).await
            })
            .await
        }))
    }
}

/// A range being fetched; stopped when nobody wants it any more.
struct OnTheWay(JoinHandle<Result<bytes::Bytes, StoreError>>);

impl OnTheWay {
    async fn bytes(&mut self) -> Result<bytes::Bytes, StoreError> {
        match (&mut self.0).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(StoreError::new(ErrorKind::Unavailable, "read", "a range", "the process is ending")),
            },
        }
    }
}

impl Drop for OnTheWay {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a URI stands for.
enum Found {
    Nothing,
    File(ObjectMeta),
    Directory(Vec<Remote>),
}

impl Found {
    /// Bytes and files.
    fn size(&self) -> (u64, u64) {
        match self {
            Found::Nothing => (0, 0),
            Found::File(meta) => (meta.size, 1),
            Found::Directory(files) => {
                (files.iter().map(|file| file.meta.size).fold(0, u64::saturating_add), files.len() as u64)
            }
        }
    }

    /// Compares kind, count and size, before a byte is moved.
    fn check(&self, uri: &str, expected: &Content) -> Result<(), TransferError> {
        if matches!(self, Found::Nothing) {
            return Err(TransferError::Missing { uri: uri.to_owned(), expected: describe(expected) });
        }
        let (size, files) = self.size();
        let directory = matches!(self, Found::Directory(_));
        if (directory, size, files) == (expected.directory, expected.size, expected.files) {
            return Ok(());
        }
        let found = Content { directory, files, size, digest: String::new() };
        Err(TransferError::Mismatch { uri: uri.to_owned(), expected: describe(expected), found: describe(&found) })
    }
}

fn check_digest(uri: &str, expected: Option<&Content>, found: &Content) -> Result<(), TransferError> {
    match expected {
        Some(expected) if expected != found => {
            Err(TransferError::Mismatch { uri: uri.to_owned(), expected: describe(expected), found: describe(found) })
        }
        _ => Ok(()),
    }
}

fn describe(content: &Content) -> String {
    let Content { directory, files, size, digest } = content;
    let what = if *directory { format!("a directory of {files} files, {size} bytes") } else { format!("{size} bytes") };
    if digest.is_empty() { what } else { format!("{what}, {digest}") }
}

/// Makes the directory above the target, and looks whether there is a place for what comes.
fn prepare(target: &Path, parent: &Path, uri: &str, bytes: u64, files: u64) -> Result<(), TransferError> {
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    fs::create_dir_all(parent).map_err(TransferError::file("make the directory", parent))?;
    let taken = match fs::symlink_metadata(target) {
        Ok(metadata) if metadata.is_dir() => {
            let mut entries = fs::read_dir(target).map_err(TransferError::file("read the directory", target))?;
            entries.next().is_some()
        }
        _ => false,
    };
    if taken {
        return Err(TransferError::TargetExists { path: target.to_owned() });
    }
    // A file system that does not say has room until it has not.
    let Ok(space) = rustix::fs::statvfs(parent) else { return Ok(()) };
    let no_room = |needed, free, unit| {
        Err(TransferError::NoRoom { uri: uri.to_owned(), path: parent.to_owned(), needed, free, unit })
    };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    if space.f_blocks > 0 && bytes > free {
        return no_room(bytes, free, "bytes");
    }
    if space.f_files > 0 && files > space.f_favail {
        return no_room(files, space.f_favail, "files");
    }
    Ok(())
}

fn copy_from_local(
    store: &LocalStore,
    key: &str,
    size: u64,
    target: &Path,
    uri: &str,
) -> Result<FileDigest, TransferError> {
    let source = store.open(key)?;
    let mut file = File::create_new(target).map_err(TransferError::file("write", target))?;
    let mut bytes = io::Read::take(source, size.saturating_add(1));
    let (copied, digest) = copy_hashing(&mut bytes, &mut file).map_err(TransferError::file("copy to", target))?;
    if copied != size {
        let reason = "it was replaced while it was read";
        return Err(StoreError::new(ErrorKind::Conflict, "read", uri, reason).into());
    }
    Ok(digest)
}

/// A file or directory under a temporary name; removed unless it was put in its place.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    fn beside(target: &Path) -> Temporary {
        Temporary { path: target.with_file_name(format!(".penstock-tmp-{}", Uuid::new_v4())) }
    }

    async fn put_in_place(self, target: &Path) -> Result<(), TransferError> {
        let target = target.to_owned();
        blocking(move || {
            // An empty directory gives way to a file, too.
            if target.is_dir() && !target.is_symlink() && !self.path.is_dir() {
                let _ = fs::remove_dir(&target);
            }
            fs::rename(&self.path, &target).map_err(TransferError::file("put in place", &target))
        })
        .await
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nothing is left there after the rename. Otherwise these few system calls are all that a dropped transfer
        // still does.
        match fs::symlink_metadata(&self.path) {
            Ok(metadata) if metadata.is_dir() => remove_directory(&self.path),
            Ok(_) => drop(fs::remove_file(&self.path)),
            Err(_) => {}
        }
    }
}

/// Removes a directory, though files that were about to be created when their transfer was dropped come in while it is
/// emptied. Each comes once, and none where the directory is gone.
fn remove_directory(path: &Path) {
    const TRIES: u32 = 64;
    for _ in 0..TRIES {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            _ => return,
        }
    }
}
