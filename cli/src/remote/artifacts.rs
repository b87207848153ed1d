//! Artifacts of a server.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use penstock_spec::artifact::Artifact;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use super::client::Client;
use crate::failure::Refusal;

/// Longest pause within an artifact.
const PAUSE: Duration = Duration::from_secs(60);

/// Copies an artifact that is a file. It is there under its name only once all of it is, and its digest is right.
pub(crate) async fn download(client: &Client, artifact: &Artifact, target: &Path) -> anyhow::Result<()> {
    if artifact.content.as_ref().is_some_and(|content| content.directory) {
        return Err(Refusal::new("it is a directory, and a server hands out files only")
            .with_hint("copy it from the object store, or on the server's machine without --server")
            .into());
    }
    let id = artifact.id.to_string();
    let path = ["apis", "penstock", "v1", "artifacts", &id, "content"];
    let mut response = client.open(&path, &[("download", "true")], None).await?;
    let folder = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let (file, partial) = tempfile::Builder::new()
        .prefix(".penstock-cp-")
        .tempfile_in(folder)
        .with_context(|| format!("cannot write to {}", folder.display()))?
        .into_parts();
    let mut file = tokio::fs::File::from_std(file);
    let mut digest = Sha256::new();
    while let Some(chunk) = client.chunk(&mut response, PAUSE).await? {
        digest.update(&chunk);
        file.write_all(&chunk).await.with_context(|| format!("cannot write {}", partial.display()))?;
    }
    file.sync_all().await.with_context(|| format!("cannot write {}", partial.display()))?;
    let found: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let found = format!("sha256:{found}");
    if let Some(content) = artifact.content.as_ref().filter(|content| content.digest != found) {
        anyhow::bail!("its digest is {found}, and {} was recorded: it was changed since", content.digest);
    }
    make_readable(&partial)?;
    partial.persist(target).with_context(|| format!("cannot write {}", target.display()))
}

/// Temporary files are their owner's alone; what is copied is like any other file that is made.
fn make_readable(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let permissions = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(path, permissions).with_context(|| format!("cannot write {}", path.display()))
}
