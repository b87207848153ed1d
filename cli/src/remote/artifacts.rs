//! Artifacts of a server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _};
use penstock_objectstore::content::{FileDigest, FileEntry, directory_content, file_content};
use penstock_spec::artifact::{Artifact, Content};
use penstock_spec::uri::relative_path_of_key;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use super::client::Client;
use super::error::RemoteError;
use crate::failure::Refusal;
use crate::text::inert;

/// Longest pause within an artifact.
const PAUSE: Duration = Duration::from_secs(60);
/// Files of a directory that are copied at a time.
const AT_A_TIME: usize = 8;
/// Most files of a directory.
const MOST_FILES: usize = 1_000_000;
/// What copies are called until they are whole.
const TEMPORARY: &str = ".penstock-cp-";

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copied {
    /// A file.
    File,
    /// A directory.
    Directory,
}

/// Copies an artifact. It is there under its name only once all of it is, and its digest is right.
pub(crate) async fn download(client: &Client, artifact: &Artifact, target: &Path) -> anyhow::Result<Copied> {
    let is_directory = match &artifact.content {
        Some(content) => content.directory,
        // Of what was imported, nobody has looked at the content.
        None => has_files(client, artifact).await?,
    };
    match is_directory {
        true => download_directory(client, artifact, target).await.map(|()| Copied::Directory),
        false => download_file(client, artifact, target).await.map(|()| Copied::File),
    }
}

async fn download_file(client: &Client, artifact: &Artifact, target: &Path) -> anyhow::Result<()> {
    let folder = folder_of(target);
    let partial = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .tempfile_in(folder)
        .with_context(|| format!("cannot write to {}", folder.display()))?
        .into_temp_path();
    let (size, digest) = fetch(client, artifact, None, &partial).await?;
    check(artifact, &file_content(size, &digest))?;
    make_readable(&partial, 0o644)?;
    partial.persist(target).with_context(|| format!("cannot write {}", target.display()))
}

async fn download_directory(client: &Client, artifact: &Artifact, target: &Path) -> anyhow::Result<()> {
    let files = list(client, artifact).await?;
    let folder = folder_of(target);
    let partial = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .tempdir_in(folder)
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    let copies = futures::stream::iter(files.into_iter().map(|(name, path)| {
        let place = partial.path().join(path);
        async move {
            if let Some(parent) = place.parent() {
                let made = tokio::fs::create_dir_all(parent).await;
                made.with_context(|| format!("cannot make the directory {}", parent.display()))?;
            }
            let (size, digest) = fetch(client, artifact, Some(&name), &place).await?;
            anyhow::Ok(FileEntry { path: name, size, digest })
        }
    }));
    let mut entries: Vec<FileEntry> = copies.buffer_unordered(AT_A_TIME).try_collect().await?;
    check(artifact, &directory_content(&mut entries))?;
    make_readable(partial.path(), 0o755)?;
    // Takes the place of an empty directory too; one that holds something stays as it is.
    std::fs::rename(partial.path(), target).with_context(|| format!("cannot write {}", target.display()))?;
    // It is gone from there.
    let _ = partial.keep();
    Ok(())
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Copies a file: the artifact itself, or one of those in it.
async fn fetch(
    client: &Client,
    artifact: &Artifact,
    name: Option<&str>,
    place: &Path,
) -> anyhow::Result<(u64, FileDigest)> {
    let id = artifact.id.to_string();
    let mut query = vec![("download", "true")];
    query.extend(name.map(|name| ("path", name)));
    let mut response = client.open(&["apis", "penstock", "v1", "artifacts", &id, "content"], &query, None).await?;
    let failed = || format!("cannot write {}", place.display());
    let mut file = tokio::fs::File::create(place).await.with_context(failed)?;
    let (mut size, mut digest) = (0_u64, Sha256::new());
    while let Some(chunk) = client.chunk(&mut response, PAUSE).await? {
        digest.update(&chunk);
        size = size.saturating_add(chunk.len() as u64);
        file.write_all(&chunk).await.with_context(failed)?;
    }
    file.sync_all().await.with_context(failed)?;
    Ok((size, digest.finalize().into()))
}

/// Compares a copy with what was recorded, if anything was.
fn check(artifact: &Artifact, found: &Content) -> anyhow::Result<()> {
    match &artifact.content {
        Some(recorded) if recorded.digest != found.digest => {
            anyhow::bail!("its digest is {}, and {} was recorded: it was changed since", found.digest, recorded.digest)
        }
        _ => Ok(()),
    }
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    files: Vec<Listed>,
    #[serde(default)]
    next_page_token: String,
}

#[derive(Deserialize)]
struct Listed {
    path: String,
}

async fn page(client: &Client, artifact: &Artifact, token: &str) -> Result<Page, RemoteError> {
    let id = artifact.id.to_string();
    let query = [("page_token", token)];
    let query = if token.is_empty() { &[][..] } else { &query[..] };
    client.get(&["apis", "penstock", "v1", "artifacts", &id, "files"], query).await
}

async fn has_files(client: &Client, artifact: &Artifact) -> Result<bool, RemoteError> {
    Ok(!page(client, artifact, "").await?.files.is_empty())
}

/// All files of a directory, and where they go. A server says no more than any other stranger (T-02).
async fn list(client: &Client, artifact: &Artifact) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let Page { files, next_page_token } = page(client, artifact, &token).await?;
        for Listed { path: name } in files {
            let Some(path) = relative_path_of_key(&name).filter(|_| !name.ends_with('/')) else {
                return Err(Refusal::new(format!("{} is no name of a file in a directory", inert(&name))).into());
            };
            found.push((name, path));
        }
        if found.len() > MOST_FILES {
            return Err(Refusal::new(format!("it has more than {MOST_FILES} files")).into());
        }
        token = next_page_token;
        if token.is_empty() {
            // Some stores repeat a name on two pages.
            found.sort_unstable();
            found.dedup();
            return Ok(found);
        }
    }
}

/// Temporary files are their owner's alone; what is copied is like any other file that is made.
fn make_readable(path: &Path, mode: u32) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, permissions).with_context(|| format!("cannot write {}", path.display()))
}
