//! Why a transfer failed.

use std::{io, path::PathBuf};

use crate::error::StoreError;

/// A failed transfer.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum TransferError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot {operation} {path:?}")]
    File { operation: &'static str, path: PathBuf, source: io::Error },
    #[error("nothing to upload at {path:?}: it does not exist")]
    NoSource { path: PathBuf },
    #[error("{path:?} is not below {root:?}")]
    NotBelow { path: PathBuf, root: PathBuf },
    #[error("cannot upload {path:?}: it is {kind}, and only regular files are uploaded")]
    NotRegular { path: PathBuf, kind: &'static str },
    #[error("cannot upload {path:?}: it is a symbolic link that {reason}; write a copy of the file instead")]
    BadLink { path: PathBuf, reason: &'static str },
    #[error("cannot upload {path:?}: its name is not UTF-8; rename it")]
    NotUtf8 { path: PathBuf },
    #[error("cannot upload {path:?}: its key would have {bytes} bytes, the store takes {limit}")]
    LongKey { path: PathBuf, bytes: usize, limit: usize },
    #[error("cannot upload {path:?}: it changed while it was read")]
    Changed { path: PathBuf },
    #[error("{what} has more than {limit} files, the limit of one directory")]
    TooManyFiles { what: String, limit: u64 },
    #[error("directories at {path:?} are nested more than {limit} deep")]
    TooDeep { path: PathBuf, limit: usize },
    #[error("{what} is larger than {limit} bytes")]
    TooLarge { what: String, limit: u64 },
    #[error("{uri} holds {found}, expected {expected}")]
    Mismatch { uri: String, expected: String, found: String },
    #[error("nothing is stored under {uri}, expected {expected}")]
    Missing { uri: String, expected: String },
    #[error("{uri} is both an object and a directory (see {other:?})")]
    Ambiguous { uri: String, other: String },
    #[error("key {key:?} under {uri} cannot be a path")]
    BadKey { uri: String, key: String },
    #[error("no room for {uri} at {path:?}: {needed} {unit} needed, {free} free")]
    NoRoom { uri: String, path: PathBuf, needed: u64, free: u64, unit: &'static str },
    #[error("cannot download to {path:?}: there is something already")]
    TargetExists { path: PathBuf },
}

impl TransferError {
    /// Whether the store or this machine is to blame, rather than what the task wrote or asked for. Such failures may
    /// go away when the attempt is repeated.
    pub fn is_infrastructure(&self) -> bool {
        use crate::error::ErrorKind;

        match self {
            TransferError::Store(error) => error.is_retryable() || error.kind() == ErrorKind::Full,
            TransferError::Mismatch { .. } | TransferError::NoRoom { .. } => true,
            TransferError::File { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            _ => false,
        }
    }

    pub(super) fn file(operation: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> TransferError {
        let path = path.into();
        move |source| TransferError::File { operation, path, source }
    }
}
