//! What is stored below a key, as relative paths.

use std::{collections::HashSet, path::PathBuf, sync::Arc};

use penstock_spec::uri::relative_path_of_key;

use super::{Transfer, TransferError};
use crate::{
    retry::retry,
    store::{ObjectMeta, ObjectStore},
};

/// A file of a stored directory, before it is downloaded.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) meta: ObjectMeta,
    /// Below the key of the directory, parts joined by `/`.
    pub(super) relative: String,
    pub(super) path: PathBuf,
}

/// The prefix that the objects of a directory share.
fn prefix_of(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{}/", key.trim_end_matches('/')) }
}

impl Transfer {
    /// All files below a key, sorted by path. Empty objects that end in a slash, with which some tools mark
    /// directories, are left out.
    pub(super) async fn list_directory(
        &self,
        store: &Arc<dyn ObjectStore>,
        key: &str,
        uri: &str,
    ) -> Result<Vec<Remote>, TransferError> {
        let prefix = prefix_of(key);
        let mut found: Vec<Remote> = Vec::new();
        let mut page: Option<String> = None;
        loop {
            let listed = retry(&self.settings.retry, || store.list(&prefix, page.as_deref())).await?;
            for meta in listed.objects {
                if meta.key.ends_with('/') && meta.size == 0 {
                    continue;
                }
                let bad = || TransferError::BadKey { uri: uri.to_owned(), key: meta.key.clone() };
                let relative = meta.key.strip_prefix(&prefix).ok_or_else(bad)?.to_owned();
                if relative.ends_with('/') {
                    return Err(bad());
                }
                let path = relative_path_of_key(&relative).ok_or_else(bad)?;
                found.push(Remote { relative, path, meta });
            }
            if found.len() as u64 > self.settings.max_files {
                return Err(TransferError::TooManyFiles { what: uri.to_owned(), limit: self.settings.max_files });
            }
            match listed.next {
                Some(next) => page = Some(next),
                None => break,
            }
        }
        found.sort_unstable_by(|a, b| a.relative.cmp(&b.relative));
        // Some servers repeat a key on two pages.
        found.dedup_by(|a, b| a.relative == b.relative);
        check_shape(&found, uri)?;
        Ok(found)
    }

    /// Number of files and bytes below a key.
    pub(super) async fn measure(
        &self,
        store: &Arc<dyn ObjectStore>,
        key: &str,
        uri: &str,
    ) -> Result<(u64, u64), TransferError> {
        let files = self.list_directory(store, key, uri).await?;
        Ok((files.len() as u64, files.iter().map(|file| file.meta.size).fold(0, u64::saturating_add)))
    }
}

/// Refuses a file that is in the way of a directory.
fn check_shape(files: &[Remote], uri: &str) -> Result<(), TransferError> {
    let names: HashSet<&str> = files.iter().map(|file| file.relative.as_str()).collect();
    for file in files {
        let mut above = file.relative.as_str();
        while let Some((parent, _)) = above.rsplit_once('/') {
            if names.contains(parent) {
                return Err(TransferError::Ambiguous { uri: format!("{uri}/{parent}"), other: file.relative.clone() });
            }
            above = parent;
        }
    }
    Ok(())
}
