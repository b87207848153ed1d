//! The error of a store operation: what was attempted, on which object, why it failed, and whether another try may
//! help. Credentials never get into it: messages are built from the endpoint, the bucket, the key and the code.

use std::{error::Error, io};

/// Why an operation failed, as far as a caller decides by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The object, or its bucket, does not exist.
    NotFound,
    /// The store knows us not, or does not let us.
    Denied,
    /// The request cannot work: bad URI, bad key, unsupported scheme, a setting that is wrong.
    Invalid,
    /// The key is in the way of another one, or the object changed meanwhile.
    Conflict,
    /// No space left.
    Full,
    /// The store was not reached, was too slow, or said "later".
    Unavailable,
    /// The body came short, long, or was cut off.
    Incomplete,
}

/// A failed store operation.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {object}: {reason}")]
pub struct StoreError {
    kind: ErrorKind,
    operation: &'static str,
    object: String,
    reason: String,
    code: Option<String>,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// An error without an inner one.
    pub fn new(
        kind: ErrorKind,
        operation: &'static str,
        object: impl Into<String>,
        reason: impl Into<String>,
    ) -> StoreError {
        StoreError { kind, operation, object: object.into(), reason: reason.into(), code: None, source: None }
    }

    /// An error of the file system.
    pub fn io(operation: &'static str, object: impl Into<String>, error: io::Error) -> StoreError {
        let (kind, reason) = classify_io(&error);
        StoreError {
            kind,
            operation,
            object: object.into(),
            reason: reason.into(),
            code: None,
            source: Some(Box::new(error)),
        }
    }

    /// The same error with the code that the service gave.
    #[must_use]
    pub fn with_code(mut self, code: Option<String>) -> StoreError {
        self.code = code;
        self
    }

    /// The same error, telling how often it was tried in vain.
    #[must_use]
    pub(crate) fn after_tries(mut self, tries: u32) -> StoreError {
        if tries > 1 {
            self.reason = format!("{} (after {tries} tries)", self.reason);
        }
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The code that the service gave, such as `NoSuchBucket`.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Whether the same request may work later.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::Unavailable | ErrorKind::Incomplete)
    }
}

fn classify_io(error: &io::Error) -> (ErrorKind, &'static str) {
    match error.kind() {
        io::ErrorKind::NotFound => (ErrorKind::NotFound, "it does not exist"),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            (ErrorKind::Denied, "the file system refused")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (ErrorKind::Full, "no space is left"),
        io::ErrorKind::NotADirectory => (ErrorKind::Conflict, "a part of its path is a file, not a directory"),
        io::ErrorKind::IsADirectory | io::ErrorKind::DirectoryNotEmpty => {
            (ErrorKind::Conflict, "there is a directory of this name")
        }
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => (ErrorKind::Invalid, "the name is not valid"),
        io::ErrorKind::Interrupted | io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            (ErrorKind::Unavailable, "the file system was busy")
        }
        // A failing disk does not heal by asking again within seconds.
        _ => (ErrorKind::Invalid, "input/output error"),
    }
}
