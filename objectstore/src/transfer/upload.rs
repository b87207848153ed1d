//! Uploads of files and directories.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use futures::{StreamExt, TryStreamExt, stream};
use penstock_spec::artifact::Content;

use super::{
    Object, Transfer, TransferError,
    source::{Opened, Source, Tree, UploadSource},
};
use crate::{
    content::{FileDigest, FileEntry, digest_of, directory_content, file_content},
    local::{LocalStore, blocking, sync_directories},
    retry::retry,
    store::ObjectStore,
};

/// Threads that copy files into a local store; more do not make a disk faster.
const LOCAL_THREADS: usize = 4;
/// Files worth a thread of their own.
const LOCAL_FILES_PER_THREAD: usize = 16;

impl Transfer {
    pub(super) async fn upload_source(&self, source: UploadSource, uri: &str) -> Result<Content, TransferError> {
        let (store, key) = self.stores.open(uri)?;
        if let Some(local) = store.as_local() {
            return self.upload_locally(local.clone(), source, key).await;
        }
        let object = Object { store, key, uri: uri.to_owned() };
        match blocking(move || source.open()).await? {
            Source::File(opened) => {
                let (size, digest) = self.upload_file(&object, opened).await?;
                Ok(file_content(size, &digest))
            }
            Source::Directory(tree) => self.upload_tree(&object, tree).await,
        }
    }

    async fn upload_tree(&self, object: &Object, tree: Tree) -> Result<Content, TransferError> {
        let (walked, max_files) = (tree.clone(), self.settings.max_files);
        let files = blocking(move || walked.walk(max_files)).await?;
        check_keys(&files, &tree, &object.key, object.store.max_key_bytes())?;
        let uploads = files.into_iter().map(|relative| {
            let tree = tree.clone();
            let file = Object {
                store: Arc::clone(&object.store),
                key: join_key(&object.key, &relative),
                uri: format!("{}/{relative}", object.uri),
            };
            async move {
                let name = relative.clone();
                let opened = blocking(move || tree.open_file(&name)).await?;
                let (size, digest) = self.upload_file(&file, opened).await?;
                Ok::<_, TransferError>(FileEntry { path: relative, size, digest })
            }
        });
        let mut entries: Vec<FileEntry> =
            stream::iter(uploads).buffer_unordered(self.settings.parallel_files).try_collect().await?;
        Ok(directory_content(&mut entries))
    }

    async fn upload_file(&self, object: &Object, opened: Opened) -> Result<(u64, FileDigest), TransferError> {
        let size = opened.size;
        if size > self.settings.part_size {
            return Ok((size, self.upload_parts(object, opened).await?));
        }
        let _permit = self.reserve(size).await;
        let read = blocking(move || {
            let bytes = opened.read_at(0, size)?;
            opened.check_end()?;
            let digest = digest_of(&bytes);
            Ok::<_, TransferError>((bytes, digest))
        });
        let (bytes, digest) = read.await?;
        retry(&self.settings.retry, || object.store.put(&object.key, bytes.clone())).await?;
        Ok((size, digest))
    }

    /// Into a directory of this machine: files are copied and hashed at once, by a few threads, and each directory is
    /// synced once.
    async fn upload_locally(
        &self,
        store: LocalStore,
        source: UploadSource,
        key: String,
    ) -> Result<Content, TransferError> {
        let max_files = self.settings.max_files;
        let first = blocking(move || match source.open()? {
            Source::File(opened) => {
                let (size, digest, directory) = import(&store, &key, opened)?;
                sync_directories([&directory])?;
                Ok::<_, TransferError>(Err(file_content(size, &digest)))
            }
            Source::Directory(tree) => {
                let files = tree.walk(max_files)?;
                check_keys(&files, &tree, &key, store.max_key_bytes())?;
                Ok(Ok(Arc::new(LocalBatch { store, key, tree, files, next: AtomicUsize::new(0) })))
            }
        });
        let batch = match first.await? {
            Err(content) => return Ok(content),
            Ok(batch) => batch,
        };
        let threads = batch.files.len().div_ceil(LOCAL_FILES_PER_THREAD).clamp(1, LOCAL_THREADS);
        let stop = StopOnDrop(Arc::default());
        let workers = (0..threads).map(|_| {
            let (batch, stop) = (Arc::clone(&batch), Arc::clone(&stop.0));
            blocking(move || batch.work(&stop))
        });
        let mut entries = Vec::with_capacity(batch.files.len());
        let mut directories: BTreeSet<PathBuf> = BTreeSet::new();
        for done in futures::future::try_join_all(workers).await? {
            entries.extend(done.0);
            directories.extend(done.1);
        }
        blocking(move || sync_directories(&directories)).await?;
        Ok(directory_content(&mut entries))
    }
}

/// The files of a directory, shared by the threads that copy them.
struct LocalBatch {
    store: LocalStore,
    key: String,
    tree: Tree,
    files: Vec<String>,
    next: AtomicUsize,
}

impl LocalBatch {
    fn work(&self, stop: &AtomicBool) -> Result<(Vec<FileEntry>, BTreeSet<PathBuf>), TransferError> {
        let mut done = (Vec::new(), BTreeSet::new());
        while !stop.load(Ordering::Relaxed) {
            let Some(relative) = self.files.get(self.next.fetch_add(1, Ordering::Relaxed)) else { break };
            let opened = self.tree.open_file(relative)?;
            let (size, digest, directory) = import(&self.store, &join_key(&self.key, relative), opened)?;
            done.0.push(FileEntry { path: relative.clone(), size, digest });
            done.1.insert(directory);
        }
        Ok(done)
    }
}

/// Tells the threads of a batch that nobody waits for them any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn import(store: &LocalStore, key: &str, opened: Opened) -> Result<(u64, FileDigest, PathBuf), TransferError> {
    // One byte more than there was shows a file that grew.
    let mut bytes = std::io::Read::take(&opened.file, opened.size.saturating_add(1));
    let (size, digest, directory) = store.import(key, &mut bytes, opened.size)?;
    if size == opened.size { Ok((size, digest, directory)) } else { Err(TransferError::Changed { path: opened.path }) }
}

fn join_key(key: &str, relative: &str) -> String {
    if key.is_empty() { relative.to_owned() } else { format!("{key}/{relative}") }
}

/// Finds a key that the store would refuse before anything is uploaded.
fn check_keys(files: &[String], tree: &Tree, key: &str, limit: usize) -> Result<(), TransferError> {
    match files.iter().find(|relative| key.len() + 1 + relative.len() > limit) {
        None => Ok(()),
        Some(relative) => {
            let bytes = key.len() + 1 + relative.len();
            Err(TransferError::LongKey { path: tree.path().join(relative), bytes, limit })
        }
    }
}
